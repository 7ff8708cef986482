"""Ids: which of them are no ids at all, and whose the real ones are."""

from collections.abc import Collection

import msgspec

PLACEHOLDERS = frozenset(
    {
        "none",
        "null",
        "nil",
        "undefined",
        "nan",
        "registry",
        "default",
        "default_user",
        "default_run",
        "default_thread",
        "unknown",
        "test",
        "anonymous",
        "system",
        "placeholder",
        "todo",
        "string",
        "id",
        "run_id",
        "user_id",
        "thread_id",
        "user",
        "run",
        "thread",
        "session",
        "0",
        "-1",
        "1",
        "{}",
        "[]",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    }
)
SHORTEST = 8
_LONGEST = 14
_PLAIN = frozenset(map(chr, range(33, 127)))
_UNSUSPECTED = _PLAIN - frozenset("0fF")
_REMEMBERED = 16_384


def is_placeholder(identifier: str) -> bool:
    """Tell whether an id stands in for one that is missing (IDN-02)."""
    length = len(identifier)
    if length > _LONGEST and identifier[0] in _UNSUSPECTED and identifier[-1] in _PLAIN:
        return False  # the usual case: too long for a word, not a UUID of zeros or ones, and nothing to strip
    if length > 36:
        return False
    bare = identifier.strip().lower()
    return not bare or bare in PLACEHOLDERS


def is_no_id(identifier: str) -> bool:
    """Tell the same of an id that may be a mere number: one of an event, a tool call or a connection."""
    return is_placeholder(identifier) and not identifier.isdigit()


class Mark(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Whose an id or a canary is: what kind of mark, its user, and the thread and question where known."""

    kind: str
    user: str
    thread_id: str | None
    ask: int | None


class Marks:
    """What proves whose words are on the wire: ids and canaries, the most recent ones.

    Ids too short or too common to prove anything are not remembered.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, Mark] = {}
        self._old: dict[bytes, Mark] = {}

    def add(
        self, identifier: str, kind: str, user: str, *, thread_id: str | None = None, ask: int | None = None
    ) -> None:
        """Remember whose this is, unless it is known already: what two users share is the first one's."""
        if len(identifier) < SHORTEST or is_placeholder(identifier):
            return
        key = identifier.encode()
        if key in self._young or key in self._old:
            return
        self._young[key] = Mark(kind, user, thread_id, ask)
        if len(self._young) >= _REMEMBERED:
            self._old, self._young = self._young, {}

    def get(self, identifier: bytes) -> Mark | None:
        """Return whose this is, if that is known."""
        young = self._young
        return young[identifier] if identifier in young else self._old.get(identifier)

    def any_of(self, words: Collection[bytes]) -> bool:
        """Tell whether any of these words is anybody's."""
        return not (self._young.keys().isdisjoint(words) and self._old.keys().isdisjoint(words))

    def among(self, words: list[bytes]) -> list[tuple[bytes, Mark]]:
        """Return those words that are somebody's, each once."""
        if not self.any_of(words):
            return []
        return [(word, mark) for word in dict.fromkeys(words) if (mark := self.get(word)) is not None]

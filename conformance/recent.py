"""A mapping that remembers the most recent entries in bounded memory."""

from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers at least the `keep` entries added last, and at most twice as many.

    Two generations: when the young one is full it becomes the old one, and what was old is forgotten. That costs one
    look-up more than a dict, and nothing else. `forget` is called with each value that is forgotten.
    """

    __slots__ = ("_forget", "_keep", "_old", "_young")

    def __init__(self, keep: int, forget: Callable[[V], None] | None = None) -> None:
        self._keep = keep
        self._forget = forget
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return what was added under this key, or None where it is not remembered."""
        young = self._young
        return young[key] if key in young else self._old.get(key)

    def add(self, key: K, value: V) -> None:
        """Remember `value`, forgetting the oldest generation where there are too many."""
        self._young[key] = value
        if len(self._young) >= self._keep:
            self._turn()

    def _turn(self) -> None:
        if self._forget is not None:
            for value in self._old.values():
                self._forget(value)
        self._old, self._young = self._young, {}

    def add_all(self, entries: list[tuple[K, V]]) -> None:
        """Remember these, one after the other, as `add` does; none of the keys is remembered yet."""
        start = 0
        while start < len(entries):
            stop = start + self._keep - len(self._young)
            self._young.update(entries[start:stop])
            start = stop
            if len(self._young) >= self._keep:
                self._turn()

    def any_of(self, keys: Iterable[K]) -> list[K]:
        """Return those of `keys` that are remembered."""
        if self._young.keys().isdisjoint(keys) and self._old.keys().isdisjoint(keys):
            return []
        return [key for key in keys if key in self._young or key in self._old]

    def discard(self, key: K) -> None:
        """Forget this key."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


class RecentSet(Generic[K]):
    """Remembers the most recent keys in bounded memory: at least the `keep` added last, as `Recent` does."""

    __slots__ = ("_entered", "_keep", "_old", "_young")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._young: set[K] = set()
        self._old: set[K] = set()
        self._entered: list[Collection[K]] = []

    def enter(self, keys: Collection[K]) -> list[K]:
        """Remember all of these, each of which comes once; return those that were remembered before."""
        young, old = self._young, self._old
        number = len(young) + len(keys)
        young.update(keys)
        known: list[K] = []
        if len(young) < number or not old.isdisjoint(keys):
            before = old.union(*self._entered)
            known = [key for key in keys if key in before]
        self._entered.append(keys)
        if len(young) >= self._keep:
            self._old, self._young, self._entered = young, set(), []
        return known

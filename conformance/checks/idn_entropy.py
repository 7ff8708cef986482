"""IDN: ids cannot be guessed."""

import math
import re
from typing import Any

from conformance.checks.check import Unconcerned, on
from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.identity import is_placeholder
from conformance.story import Sighting

_SAMPLES = 400
_NEEDED = 20
_BITS = 64.0
_TELLING = 3
_NONE = "\0"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Entropy(Unconcerned):
    """Run ids cannot be guessed: from many of them, an upper bound of the bits that vary."""

    decides = ("IDN-05",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ids: dict[str, Sighting] = {}

    @on(Kind.STARTED)
    def started(self, seen: Sighting) -> None:
        """Collect run ids."""
        run_id = seen.event.run_id
        if run_id == seen.event.payload.request_id:
            return  # the client chose it
        if run_id and seen.story.first is None and not is_placeholder(run_id) and len(self._ids) < _SAMPLES:
            self._ids.setdefault(run_id, seen)

    def tally(self, told: Stretch) -> None:
        """Collect run ids."""
        for run in told.begun[: _SAMPLES - len(self._ids)]:
            self._ids.setdefault(run.run_id, told.sightings[run.first])

    def finish(self) -> None:
        """Judge the ids together."""
        ids = list(self._ids)
        self.exercised["IDN-05"] = len(ids)
        guess = self._guessable(ids)
        if guess is not None:
            seen, actual = guess
            self.fail(
                "IDN-05",
                "run ids can be guessed",
                expected="at least 64 random bits, such as a version 4 UUID",
                actual=actual,
                witnesses=[*list(self._ids.values())[:2], seen],
                run=seen.story,
            )
        elif len(ids) < _NEEDED:
            self.undecided["IDN-05"] = f"{len(ids)} run ids seen, {_NEEDED} are needed"

    def _guessable(self, ids: list[str]) -> tuple[Sighting, str] | None:
        for run_id, seen in self._ids.items():
            version = _UUID.fullmatch(run_id)
            if version and version[1] in "135":
                return seen, f"{run_id}: a UUID of version {version[1]}, which is not random"
        for kind in ("user_id", "thread_id"):
            made_of = [seen for run_id, seen in self._ids.items() if _other(seen, kind) in run_id]
            rest = [run_id.replace(_other(seen, kind), "") for run_id, seen in self._ids.items()]
            if made_of and random_bits(rest) < _BITS:
                of = f"the {kind.replace('_', ' ')} {_other(made_of[0], kind)}"
                return made_of[0], f"{made_of[0].event.run_id}: made from {of}"
        if len(ids) >= _NEEDED:
            bits = random_bits(ids)
            if bits < _BITS:
                return self._ids[ids[-1]], f"at most {bits:.0f} bits vary over {len(ids)} ids, e.g. {ids[0]}, {ids[1]}"
        return None


def random_bits(ids: list[str]) -> float:
    """Return an upper bound in bits of the randomness of ids: what each position could hold, where it varies at all."""
    if len(ids) < 2:
        return math.inf
    width = max(map(len, ids))
    bits = 0.0
    for column in zip(*(identifier.ljust(width) for identifier in ids), strict=True):
        symbols = set(column)
        if len(symbols) > 1:
            bits += math.log2(_alphabet(symbols))
    return bits


def _alphabet(symbols: set[str]) -> int:
    text = "".join(symbols).strip()
    if text.isdigit():
        return 10
    if all(symbol in "0123456789abcdef" for symbol in text) or all(symbol in "0123456789ABCDEF" for symbol in text):
        return 16
    return 36 if text == text.lower() or text == text.upper() else 64


def _other(seen: Sighting, kind: str) -> str:
    """Return another id of a run's, if it is long enough to tell whether the run's id is made of it."""
    value = getattr(seen.event, kind)
    return value if value and len(value) >= _TELLING and value != seen.event.run_id else _NONE

"""What a fault is: a variant of some part of the engine, and what it breaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from reference_impl.app import Parts
from reference_impl.errors import EngineError


@dataclass(frozen=True, slots=True)
class Fault:
    """One defect, in one or more parts of the engine.

    `sentence` says what the engine does wrong, `stands_for` how real engines come to do it. `breaks` holds the ids of
    exactly those requirements of the catalogue that it violates. `variants` are the defective parts. `outside` tells
    that it is a defect only where model and tools run elsewhere, and that only they can tell; `rare` that it shows only
    where several things happen at the same time, which no scenario makes sure of.
    """

    name: str
    sentence: str
    stands_for: str
    breaks: frozenset[str]
    variants: tuple[type, ...]
    outside: bool = False
    rare: bool = False

    @property
    def parts(self) -> Parts:
        """The parts of an engine with this defect and no other."""
        return Parts(**{part_of(variant): variant for variant in self.variants})


class UnknownFault(EngineError):
    """There is no fault of that name; `guess` is the nearest that there is, if one is near."""

    def __init__(self, name: str, *, guess: str | None) -> None:
        super().__init__(name, guess)
        self.name = name
        self.guess = guess

    def __str__(self) -> str:
        hint = f"did you mean {self.guess}? " if self.guess else ""
        return f"there is no fault {self.name!r}; {hint}--list-faults prints all"


def fault(
    name: str,
    sentence: str,
    *,
    stands_for: str,
    breaks: Sequence[str],
    with_parts: Sequence[type] = (),
    outside: bool = False,
    rare: bool = False,
) -> Callable[[type], Fault]:
    """Make a fault of the decorated class, which is a subclass of one of the engine's parts.

    `with_parts` are further variants, where the defect needs more than one; `outside` and `rare` are the fault's.
    """

    def make(variant: type) -> Fault:
        return Fault(name, sentence, stands_for, frozenset(breaks), (variant, *with_parts), outside, rare)

    return make


def part_of(variant: type) -> str:
    """The name of the part that `variant` plays. Raises TypeError if it is a subclass of none."""
    for field in fields(Parts):
        default: Any = field.default
        if issubclass(variant, default):
            return field.name
    raise TypeError(f"{variant.__name__} is no variant of a part: expected a subclass of one of those in Parts.")

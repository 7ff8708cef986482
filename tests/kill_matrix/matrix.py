"""Which faulty engine was found out by what, and what follows: is every one caught, and has every MUST a killer?"""

import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from conformance.catalogue import Catalogue, Requirement
from conformance.judge import SOURCE_FAMILIES

OF_ONE_DIALECT = frozenset({"AGU"})
"""Families of rules that one dialect has of its own: faulty engines are driven over the native one."""


class Kill(msgspec.Struct, frozen=True):
    """What a run of the kit found in one faulty engine.

    `perhaps` is what the engine may violate besides, as timing has it. `detected_s` is the time from the beginning of
    driving to the operation that completes the proof of the first declared violation, None where none was found;
    `took_s` the time that the whole command took.
    """

    fault: str
    declared: frozenset[str]
    found: frozenset[str]
    detected_s: float | None
    took_s: float
    witnessed: bool = False
    errors: tuple[str, ...] = ()
    perhaps: frozenset[str] = frozenset()

    @property
    def missed(self) -> frozenset[str]:
        """What it declares, and was not found."""
        return self.declared - self.found

    @property
    def undeclared(self) -> frozenset[str]:
        """What was found, and it does not declare."""
        return self.found - self.declared - self.perhaps

    @property
    def caught(self) -> bool:
        """Whether it was found out by exactly what it declares."""
        return not (self.missed or self.undeclared or self.errors)


class Matrix(msgspec.Struct, frozen=True):
    """All faulty engines that were driven, and the requirements that are decided by driving an engine."""

    kills: Sequence[Kill]
    requirements: Sequence[Requirement]

    def killers(self) -> Mapping[str, list[str]]:
        """Return the faults by which each requirement was found broken, as they declare."""
        return {
            requirement.id: [kill.fault for kill in self.kills if requirement.id in kill.declared & kill.found]
            for requirement in self.requirements
        }

    def immortal(self) -> list[Requirement]:
        """Return the MUSTs that no fault was caught by."""
        killers = self.killers()
        return [each for each in self.requirements if each.level == "MUST" and not killers[each.id]]

    def median_s(self) -> float:
        """Return the median time to detection."""
        return statistics.median([kill.detected_s for kill in self.kills if kill.detected_s is not None] or [0.0])


def on_the_wire(catalogue: Catalogue) -> list[Requirement]:
    """Return the requirements that are decided by driving an engine, over any dialect."""
    return [each for each in catalogue if each.family not in SOURCE_FAMILIES | OF_ONE_DIALECT]


def problems(matrix: Matrix, *, whole: bool) -> Iterable[str]:
    """Yield a line for each thing that is not as it must be. `whole`: no fault was left out, so all MUSTs count."""
    for kill in matrix.kills:
        if kill.missed:
            yield f"{kill.fault}: not found: {', '.join(sorted(kill.missed))}"
        if kill.undeclared:
            yield f"{kill.fault}: found, and not declared: {', '.join(sorted(kill.undeclared))}"
        for error in kill.errors:
            yield f"{kill.fault}: {error}"
    for requirement in matrix.immortal() if whole else ():
        yield f"{requirement.id}: no faulty engine breaks it: {requirement.statement}"

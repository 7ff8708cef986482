"""What a fault is: a variant of some part of the engine, and what it breaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_impl.variants import UnknownVariant, Variant


@dataclass(frozen=True, slots=True)
class Fault(Variant):
    """One defect, in one or more parts of the engine.

    `sentence` says what the engine does wrong, `stands_for` how real engines come to do it. `breaks` holds the ids of
    exactly those requirements of the catalogue that it violates, but for those that it violates `perhaps`: where timing
    brings that out. `variants` are the defective parts. `outside` tells that it is a defect only where model and tools
    run elsewhere, and that only they can tell; `rare` that it shows only where several things happen at the same time,
    which no scenario makes sure of.
    """

    kind = "fault"
    stands_for: str
    breaks: frozenset[str]
    outside: bool = False
    rare: bool = False
    perhaps: frozenset[str] = frozenset()


class UnknownFault(UnknownVariant):
    """There is no fault of that name."""

    kind = Fault.kind
    option = "--list-faults"


def fault(
    name: str,
    sentence: str,
    *,
    stands_for: str,
    breaks: Sequence[str],
    with_parts: Sequence[type] = (),
    outside: bool = False,
    rare: bool = False,
    perhaps: Sequence[str] = (),
) -> Callable[[type], Fault]:
    """Make a fault of the decorated class, which is a subclass of one of the engine's parts.

    `with_parts` are further variants, where the defect needs more than one; `outside`, `rare` and `perhaps` are the
    fault's.
    """

    def make(variant: type) -> Fault:
        parts = (variant, *with_parts)
        return Fault(name, sentence, parts, stands_for, frozenset(breaks), outside, rare, frozenset(perhaps))

    return make

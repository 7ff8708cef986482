"""Engines with one defect each, to show that what should notice a defect does.

A fault is a class in any module of this folder, marked with `@fault(…)`; being there is enough to be found.
"""

from functools import cache

from reference_impl.faulty.fault import Fault, UnknownFault
from reference_impl.variants import collected, find


@cache
def all_faults() -> tuple[Fault, ...]:
    """Return every fault, by name. Raises ValueError if two have the same name."""
    return collected(__name__, Fault)


def named(name: str) -> Fault:
    """Return the fault of that name. Raises UnknownFault, with the nearest name if one is near."""
    return find(name, all_faults(), UnknownFault)

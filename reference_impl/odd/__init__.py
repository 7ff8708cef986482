"""Engines that keep every promise in a way that nobody expects, to show that nothing accuses them.

An oddity is a class in any module of this folder, marked with `@odd(…)`; being there is enough to be found.
"""

from functools import cache

from reference_impl.odd.odd import Odd, UnknownOdd
from reference_impl.variants import collected, find


@cache
def all_odd() -> tuple[Odd, ...]:
    """Return every oddity, by name. Raises ValueError if two have the same name."""
    return collected(__name__, Odd)


def named(name: str) -> Odd:
    """Return the oddity of that name. Raises UnknownOdd, with the nearest name if one is near."""
    return find(name, all_odd(), UnknownOdd)

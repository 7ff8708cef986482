"""Engines that keep every promise in a way that nobody expects, to show that nothing accuses them.

An oddity is a class in any module of this folder, marked with `@odd(…)`; being there is enough to be found.
"""

import difflib
import importlib
import pkgutil
from functools import cache

import reference_impl.odd as package
from reference_impl.odd.odd import Odd, UnknownOdd


@cache
def all_odd() -> tuple[Odd, ...]:
    """Return every oddity, by name. Raises ValueError if two have the same name."""
    found: dict[str, Odd] = {}
    for module in pkgutil.iter_modules(package.__path__):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for each in namespace.values():
            if isinstance(each, Odd) and found.setdefault(each.name, each) is not each:
                raise ValueError(f"{module.name}.py: there is another oddity called {each.name!r}: give it a new name.")
    return tuple(found[name] for name in sorted(found))


def named(name: str) -> Odd:
    """Return the oddity of that name. Raises UnknownOdd, with the nearest name if one is near."""
    by_name = {each.name: each for each in all_odd()}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name.strip().lower().replace("_", "-"), by_name, n=1)
    raise UnknownOdd(name, guess=near[0] if near else None)

"""Engines with one defect each, to show that what should notice a defect does.

A fault is a class in any module of this folder, marked with `@fault(…)`; being there is enough to be found.
"""

import difflib
import importlib
import pkgutil
from functools import cache

import reference_impl.faulty as package
from reference_impl.faulty.fault import Fault, UnknownFault


@cache
def all_faults() -> tuple[Fault, ...]:
    """Return every fault, by name. Raises ValueError if two have the same name."""
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(package.__path__):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for fault in namespace.values():
            if isinstance(fault, Fault) and found.setdefault(fault.name, fault) is not fault:
                raise ValueError(f"{module.name}.py: there is another fault called {fault.name!r}: give it a new name.")
    return tuple(found[name] for name in sorted(found))


def named(name: str) -> Fault:
    """Return the fault of that name. Raises UnknownFault, with the nearest name if one is near."""
    by_name = {fault.name: fault for fault in all_faults()}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name.strip().lower().replace("_", "-"), by_name, n=1)
    raise UnknownFault(name, guess=near[0] if near else None)

"""Checks: what decides a requirement. Each lives in the file of its family and is found here by being there."""

import importlib
import pkgutil
from functools import cache

import conformance.checks as package
from conformance.checks.check import Check


@cache
def all_checks() -> tuple[type[Check], ...]:
    """Return every check, in the order of the files and of their definition."""
    found: list[type[Check]] = []
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        found += [
            value
            for value in namespace.values()
            if isinstance(value, type) and issubclass(value, Check) and _looks(value) and value not in found
        ]
    return tuple(found)


def _looks(kind: type[Check]) -> bool:
    """Tell whether a class looks at anything, as the mere bases of checks do not."""
    return bool(kind.decides) or any(hasattr(method, "handles") for method in vars(kind).values())


def decided() -> frozenset[str]:
    """Return the ids of all requirements that some check decides."""
    return frozenset(requirement for check in all_checks() for requirement in check.decides)

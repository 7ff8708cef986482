"""Scenarios: what the kit does to a target. They drive and never judge; each uses users of its own."""

import importlib
import pkgutil
from functools import cache

import conformance.scenarios as package
from conformance.scenarios.scenario import Scenario


@cache
def all_scenarios() -> tuple[Scenario, ...]:
    """Return every scenario: the golden path first, long ones last, else in the order of the files and in them."""
    found: list[Scenario] = []
    for module in pkgutil.iter_modules(package.__path__):
        namespace = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        found += [value for value in namespace.values() if isinstance(value, Scenario) and value not in found]
    return tuple(sorted(found, key=lambda scenario: (not scenario.first, scenario.long)))

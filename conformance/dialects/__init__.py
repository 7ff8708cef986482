"""Dialects: what a target speaks. Each is one sans-IO file; `named` finds it."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

import conformance.dialects as package
from conformance.dialects.dialect import Dialect
from conformance.errors import UsageError

# What dialects are made of, beside them in the folder
_PARTS = frozenset({"dialect", "fields", "mapping", "outcome", "tagged", "telling"})
_MAPPING = ".toml"


@cache
def _modules() -> dict[str, str]:
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return {name.replace("_", "-"): f"{package.__name__}.{name}" for name in names if name not in _PARTS}


def names() -> list[str]:
    """Return the names of the built-in dialects."""
    return sorted(_modules())


def recorded(name: str, source: str | None) -> Dialect:
    """Return the dialect of a history: the one that `source` describes, where it is not built in."""
    if source is None:
        return named(name)
    from conformance.dialects.mapping import from_text

    return from_text(source, f"the mapping {name}")


def named(name: str) -> Dialect:
    """Return the built-in dialect of that name, or that of a mapping file; raise `UsageError` where there is none."""
    if name.endswith(_MAPPING):
        from conformance.dialects.mapping import from_file

        return from_file(Path(name))
    try:
        module = importlib.import_module(_modules()[name])
    except KeyError:
        raise UsageError(
            f"no dialect named {name!r}: built in are {', '.join(names())}; the path of a mapping ends in {_MAPPING}"
        ) from None
    dialect: Dialect = module.DIALECT
    return dialect

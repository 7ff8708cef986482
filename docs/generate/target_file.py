"""The page on the target file: each table with its keys, their types and defaults, as the code has them."""

import inspect
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from conformance.capabilities import CAPABILITIES
from conformance.target import BEHAVIOURS, Target
from docs.generate.markdown import table

_HEAD = f"""# Target file

TOML; every table and key is optional but `url`. Relative paths are relative to the file, and `${{NAME}}` in a value
stands for an environment variable. An unknown key is an error that names it and guesses what was meant.

With `command` or `app` the kit starts the target: `{{port}}` is a free port, `{{data}}` an empty folder that restarts
find again. Capabilities are {", ".join(f"`{name}`" for name in CAPABILITIES)}; what a target announces in its greeting
need not be said.

"""
_SAY = f"""## \\[say\\]

What to say to a model that is not scripted, to get a behaviour. `{{canary}}` stands for the message's canary. The keys:
{", ".join(f"`{name}`" for name in BEHAVIOURS)}.

"""


def page() -> str:
    """Return the page."""
    hints = get_type_hints(Target)
    tables = [_table(name, hints[name]) for name in Target.__struct_fields__ if _is_struct(hints[name])]
    return _HEAD + "".join(tables) + _SAY


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _table(name: str, struct: type[msgspec.Struct]) -> str:
    hints = get_type_hints(struct)
    rows = [(f"`{field.name}`", _named(hints[field.name]), _default(field)) for field in msgspec.structs.fields(struct)]
    return f"## \\[{name}\\]\n\n{inspect.getdoc(struct)}\n\n{table(('key', 'is', 'default'), rows)}\n"


def _named(hint: Any) -> str:
    """Name a type in the words of TOML."""
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    if hint in words:
        return words[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType or (arguments and type(None) in arguments):
        return _named(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    return "a list of texts" if origin is tuple else "a table"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is msgspec.NODEFAULT or field.default is None:
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"

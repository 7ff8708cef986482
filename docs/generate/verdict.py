"""The page on `verdict.json`: its published JSON Schema, as tables."""

import json
from importlib.resources import files
from typing import Any

from docs.generate.markdown import table

_HEAD = """# verdict.json

What `verify`, `check` and `load` write, and print with `--json`. Fields may be added; what is there keeps its meaning
while `schema` is 1. The JSON Schema is `conformance/verdict.schema.json`, in the package and in the repository.

"""


def page() -> str:
    """Return the page."""
    schema = json.loads(files("conformance").joinpath("verdict.schema.json").read_text())
    types: dict[str, Any] = schema["$defs"]
    first = schema["$ref"].rpartition("/")[2] if "$ref" in schema else "Verdict"
    names = [first, *(name for name in types if name != first)]
    return _HEAD + "".join(_type(name, types[name]) for name in names)


def _type(name: str, schema: dict[str, Any]) -> str:
    said = schema.get("description", "")
    if "enum" in schema:
        return f"## {name}\n\n{said}\n\nOne of {', '.join(f'`{value}`' for value in schema['enum'])}.\n\n"
    rows = [
        (f"`{key}`", _named(value), "yes" if key in schema.get("required", ()) else "")
        for key, value in schema.get("properties", {}).items()
    ]
    return f"## {name}\n\n{said}\n\n{table(('field', 'is', 'always there'), rows)}\n"


def _named(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_named(each) for each in schema["anyOf"])
    if "prefixItems" in schema:
        return f"({', '.join(map(_named, schema['prefixItems']))})"
    if schema.get("type") == "array":
        return f"a list of {_named(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("type", "anything"))

"""Templates of requests: what stands in braces is filled in; what the kit has no value for is left out."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from msgspec import UNSET

from conformance.nearest import choices

NAMES = ("text", "request_id", "thread_id", "run_id", "user", "after_seq")
_BRACES = re.compile(r"\{([A-Za-z_]+)\}")


def checked(text: str) -> str:
    """Return a template as it is. Raises `ValueError` where it names what there is not."""
    for name in _BRACES.findall(text):
        if name not in NAMES:
            raise ValueError(f"{{{name}}} is not known; {choices(name, NAMES)}")
    return text


def texts(body: Any) -> Iterator[str]:
    """Yield every string of a body."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict | list):
        for item in body.values() if isinstance(body, dict) else body:
            yield from texts(item)


def filled(body: Any, values: Mapping[str, Any]) -> Any:
    """Return a body with its values; UNSET where all that it holds is a value that there is not."""
    if isinstance(body, dict):
        items = {name: filled(item, values) for name, item in body.items()}
        return {name: item for name, item in items.items() if item is not UNSET}
    if isinstance(body, list):
        return [item for item in (filled(item, values) for item in body) if item is not UNSET]
    if not isinstance(body, str):
        return body
    whole = _BRACES.fullmatch(body)
    if whole is not None:
        value = values.get(whole[1])
        return UNSET if value is None else value
    return line(body, values)


def line(text: str, values: Mapping[str, Any], *, quoted: bool = False) -> str:
    """Return one line with its values, `quoted` as in a URL; what there is not is empty."""

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        plain = "" if value is None else str(value)
        return quote(plain, safe="") if quoted else plain

    return _BRACES.sub(fill, text)

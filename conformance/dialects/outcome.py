"""What came of a tool, where a protocol has no field that says it: by what its result looks like."""

import re

import msgspec

_FAILED = re.compile(r"\s*(?:tool )?error\b", re.IGNORECASE)


def failure(result: str) -> str | None:
    """Return why a tool failed, as far as its result says so; None where it does not: then it went well."""
    if _FAILED.match(result):
        return result
    if not result.lstrip().startswith("{"):
        return None
    try:
        told = msgspec.json.decode(result)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None
    error = told.get("error")
    failed = bool(error) or told.get("isError") is True or told.get("status") == "error"
    return (error if isinstance(error, str) else result) if failed else None

"""What may have been meant by a name that does not exist, in the words of an error."""

import difflib
from collections.abc import Iterable


def guess(name: str, names: Iterable[str]) -> str:
    """Say which name may have been meant, or else what there is, in order of the alphabet."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"


def choices(name: str, names: Iterable[str]) -> str:
    """Say what was expected instead of a name, the nearest first; all others in their own order."""
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name, known, n=1)
    return f"{f'did you mean {near[0]}? ' if near else ''}expected one of {', '.join(known)}"

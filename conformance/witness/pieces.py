"""How a text is cut into what a model emits at a time. Put together, pieces are the text exactly."""

import re

_WORD = re.compile(r"\s*\S+\s*")
MOST_PIECES = 256
_ARGUMENT_PIECES = 4


def words(text: str) -> list[str]:
    """Return a text word by word; a long one in `MOST_PIECES` pieces of several words."""
    found = _WORD.findall(text) or ([text] if text else [])
    size = -(-len(found) // MOST_PIECES)
    return ["".join(found[start : start + size]) for start in range(0, len(found), size or 1)]


def fragments(text: str) -> list[str]:
    """Return a text in a few pieces that heed nothing, as models cut the arguments of tool calls."""
    size = max(1, -(-len(text) // _ARGUMENT_PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]


def tokens(text: str) -> int:
    """Return how many tokens a text counts as: one for each four characters begun."""
    return -(-len(text) // 4)

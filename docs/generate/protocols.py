"""The pages on protocols: the documents that stand beside the code, with their links made good."""

import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_DIALECTS = _ROOT / "conformance" / "dialects"
_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<to>[^)#]+)\)")
_PAGES = {"FIVE-EVENTS.md": "five-events.md"}
"""Documents that are pages here, too."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page on dialects and mappings, and the one on the kit's own protocol."""
    yield "reference/dialects.md", _linked((_DIALECTS / "README.md").read_text().replace("# dialects", "# Dialects", 1))
    yield "reference/five-events.md", _linked((_DIALECTS / "FIVE-EVENTS.md").read_text())


def _linked(text: str) -> str:
    def link(match: re.Match[str]) -> str:
        target = match["to"]
        if target.startswith("https://"):
            return match[0]
        return f"[{match['text']}]({_PAGES[target]})" if target in _PAGES else match["text"]

    return _LINK.sub(link, text)

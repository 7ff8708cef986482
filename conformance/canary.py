"""Canaries: unguessable tokens that show whose words they are, wherever they turn up.

Each message of each user carries its own. A canary holds a rare character, so that most frames are ruled out by
looking for one byte; beyond that it is letters and digits, which no JSON or URL encoding changes.
"""

import base64
import re
from collections.abc import Iterator
from random import Random

MARK = "~"
_PATTERN = re.compile(rb"cnry~([0-9a-f]{20})~")
_ESCAPE = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}")
# "cnry~" in base64 for each of the three ways in which it can lie on the three-byte grid: what does not depend on the
# bytes around it
ENCODED = tuple(
    base64.b64encode(b"\0" * offset + b"cnry~" + b"\0" * 3)[first:last]
    for offset, first, last in ((0, 0, 6), (1, 2, 7), (2, 3, 9))
)
LENGTH = 26


def new(random: Random) -> str:
    """Return a fresh canary: 80 random bits."""
    return f"cnry~{random.getrandbits(80):020x}~"


def find(raw: bytes) -> Iterator[str]:
    """Yield the canaries in a frame or text: plain, JSON-escaped, percent-encoded or in base64."""
    if 126 in raw:  # MARK
        for match in _PATTERN.finditer(raw):
            yield match[0].decode()
    if b"\\u00" in raw:
        unescaped = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), raw)
        yield from (match[0].decode() for match in _PATTERN.finditer(unescaped) if match[0] not in raw)
    if b"cnry%7" in raw:
        yield from (match[0].decode() for match in _PATTERN.finditer(raw.replace(b"%7E", b"~").replace(b"%7e", b"~")))
    if any(piece in raw for piece in ENCODED):
        yield from _in_base64(raw)


def may_be_encoded(raw: bytes) -> bool:
    """Tell whether there may be a canary that does not stand there as it is."""
    return b"\\u00" in raw or b"cnry%7" in raw or any(piece in raw for piece in ENCODED)


def _in_base64(raw: bytes) -> Iterator[str]:
    for run in _BASE64.finditer(raw):
        plain = run[0].replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):  # the text before may have shifted the grid
            piece = plain[start:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            for match in _PATTERN.finditer(base64.b64decode(piece + b"=" * (-len(piece) % 4))):
                yield match[0].decode()

r"""What came from a target, made fit to be looked at.

Frames are hostile data: an ANSI escape repaints a terminal, a right-to-left mark turns a line around, a NUL ends a
document. Whatever `str.isprintable` calls not printable is written as its escape (`\x1b`, `\u202e`), and what is too
long is cut, with its length. `verdict.json` has it all as it was.
"""

import msgspec


def visible(text: str, *, keep: str = "") -> str:
    """Write every character that is not printable as its escape, except those in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escape(c) for c in text)


def one_line(text: str, *, limit: int) -> str:
    """Make a text of at most `limit` characters, before they are escaped, visible on one line."""
    return visible(_cut(text, limit)) + _rest(text, limit)


def block(text: str, *, limit: int) -> str:
    """Make a text of at most `limit` characters, before they are escaped, visible. It keeps its line breaks."""
    return visible(_cut(text, limit), keep="\n") + _rest(text, limit)


def pretty(text: str, *, limit: int) -> str:
    """Indent a frame that is a JSON object or array, else leave it as it is; then as `block`.

    Nothing else changes: keys that come twice, numbers and escapes stay as they were sent.
    """
    if text[:1] in ("{", "["):
        try:
            text = msgspec.json.format(text, indent=2)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return block(text, limit=limit)
    return block(text, limit=limit)


def longest_run(text: str, character: str) -> int:
    """Count how often the character comes in a row at most."""
    longest = current = 0
    for c in text:
        current = current + 1 if c == character else 0
        longest = max(longest, current)
    return longest


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit]


def _rest(text: str, limit: int) -> str:
    return "" if len(text) <= limit else f"… ({len(text):,} characters)"


def _escape(character: str) -> str:
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

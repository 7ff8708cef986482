"""One file, read and parsed: what rules look at. Never imported, never executed."""

import ast
import io
import re
import tokenize
import warnings
from functools import cached_property
from pathlib import Path

from contracts.syntax import Index

_PYTHON_2 = re.compile(
    r"Missing parentheses in call to|multiple exception types must be parenthesized|leading zeros in decimal"
    r"|inconsistent use of tabs|invalid decimal literal"
)
_TEMPLATE = re.compile(r"\{\{|\{%|<%|\$\{|@@|%\(\w+\)s|cookiecutter")


class Unreadable(Exception):
    """A file cannot be read or parsed: why, in which line, and whether that is certainly a fault."""

    def __init__(self, why: str, line: int = 1, *, sure: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
        self.sure = sure


class Source:
    """A parsed file: its tree, indexed, and its text."""

    def __init__(self, path: str, content: bytes, *, is_test: bool) -> None:
        self.path = path
        self.content = content
        self.is_test = is_test
        self.tree = parse(content)
        self.index = Index(self.tree)

    @property
    def stem(self) -> str:
        """The name of the file without its ending."""
        return Path(self.path).stem

    @cached_property
    def text(self) -> str:
        """The text of the file."""
        encoding, _ = tokenize.detect_encoding(io.BytesIO(self.content).readline)
        return self.content.decode(encoding, errors="replace")


def read(path: str, *, most: int) -> bytes:
    """Read a file. Raises `Unreadable` where that fails, or where it is larger than `most` bytes."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None
    if len(content) > most:
        raise Unreadable(
            f"was not looked at: {len(content):,} bytes, more than max_bytes = {most:,}", sure=False
        ) from None
    return content


def parse(content: bytes) -> ast.Module:
    """Parse the content of a file. Raises `Unreadable`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(content)
        except SyntaxError as error:
            raise _unparsed(content, error) from None
        except (RecursionError, MemoryError):
            raise Unreadable("cannot be parsed: nested too deeply", sure=False) from None
        except ValueError as error:
            raise Unreadable(f"cannot be parsed: {error}") from None


def _unparsed(content: bytes, error: SyntaxError) -> Unreadable:
    line = max(1, error.lineno or 1)
    why = f"does not parse: {error.msg}"
    if "too many nested" in (error.msg or "") or "too deeply" in (error.msg or ""):
        return Unreadable("cannot be parsed: nested too deeply", line, sure=False)
    lines = content.splitlines()
    shown = b"\n".join(lines[max(0, line - 2) : line + 1]).decode(errors="replace")
    if _TEMPLATE.search(shown):
        return Unreadable(f"{why}; it looks like a template", line, sure=False)
    if _PYTHON_2.search(error.msg or ""):
        why += " (Python 2?)"
    return Unreadable(why, line)

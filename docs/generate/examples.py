"""Examples of requirements: the histories that checks are tested by, as the frames that go over the wire."""

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.history import operations as ops
from tests.checks.examples import EXAMPLES, Example
from tests.checks.histories import History, judge

_MOST_LINES = 14
_WIDTH = 150
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_CHECKS = Path(__file__).parents[2] / "tests" / "checks"


@dataclass(frozen=True)
class Shown:
    """One example: its frames as text, and of a bad one what the kit says of it."""

    kind: str
    title: str
    frames: str
    message: str = ""
    expected: str = ""
    actual: str = ""


def shown() -> dict[str, list[Shown]]:
    """Return a good and a bad example of each requirement that has one: the shortest that there are."""
    for file in sorted(_CHECKS.glob("test_*.py")):
        importlib.import_module(f"tests.checks.{file.stem}")
    found: dict[str, list[Shown]] = {}
    built = [(example, example.build()) for example in EXAMPLES if example.kind in ("good", "bad")]
    built.sort(key=lambda pair: len(pair[1].operations))
    for kind in ("good", "bad"):
        chosen: dict[str, tuple[Example, History]] = {}
        for example, history in built:
            # a bad history is an example of what it breaks first; what else it breaks follows from that
            for id in (example.ids if kind == "good" else example.ids[:1]) if example.kind == kind else ():
                chosen.setdefault(id, (example, history))
        for id, (example, history) in chosen.items():
            found.setdefault(id, []).append(_shown(id, example, history))
    return found


def _shown(id: str, example: Example, history: History) -> Shown:
    title = example.name.partition("test_")[2].rpartition("test_")[2].replace("_", " ") or example.name
    if example.kind == "good":
        return Shown("good", title, _frames(history, set()))
    requirement = next(each for each in judge(history).requirements if each.id == id)
    finding = requirement.findings[0]
    lines = {witness.line for witness in finding.witnesses}
    return Shown("bad", title, _frames(history, lines), finding.message, finding.expected, finding.actual)


def _frames(history: History, marked: set[int]) -> str:
    """Return what went over the wire, a line each; `!` stands before what proves a violation (line 1 is the header)."""
    told = [(line, text) for line, each in enumerate(history.operations, 2) if (text := _line(each)) is not None]
    return last_lines(told, marked)


def last_lines(told: list[tuple[int, str]], marked: set[int]) -> str:
    """Return numbered lines, of many the last ones that tell of what is marked; `!` stands before that."""
    if len(told) > _MOST_LINES:
        last = max((at for at, (line, _) in enumerate(told, 1) if line in marked), default=_MOST_LINES)
        told = told[max(0, last - _MOST_LINES) : max(last, _MOST_LINES)]
    return "\n".join(f"{'!' if line in marked else ' '} {text}" for line, text in told)


def _line(operation: ops.Operation) -> str | None:
    at = f"{operation.at / 1000:>8,.0f} ms"
    match operation:
        case ops.Sent() | ops.Received():
            arrow = "→" if isinstance(operation, ops.Sent) else "←"
            text = f"{at}  {operation.conn} {arrow} {_short(operation)}"
        case ops.Closed():
            text = f"{at}  {operation.conn} closed by the {operation.by}, {operation.code}"
        case ops.Refused():
            text = f"{at}  {operation.conn} refused with HTTP {operation.status}"
        case ops.GaveUp():
            text = (
                f"{at}  {operation.conn} the kit gave up: no {operation.awaited} within {operation.waited_ms:,.0f} ms"
            )
        case _:
            return None
    return in_one_line(text)


def in_one_line(text: str) -> str:
    """Return a text, cut where it is too long for a page."""
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _short(frame: ops.Frame) -> str:
    """Return a frame in one line: what says most stands first."""
    raw = frame.text if frame.text is not None else bytes(frame.frame).decode(errors="replace")
    try:
        content: Any = json.loads(raw)
    except ValueError:
        return repr(raw)
    if not isinstance(content, dict):
        return raw
    first = {key: content[key] for key in ("type", "seq", "run_id", "payload") if key in content}
    return _UUID.sub(r"\1…", json.dumps({**first, **content}, ensure_ascii=False))

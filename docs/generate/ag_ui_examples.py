"""Examples of AG-UI's own rules: the streams that they are tested by, an event a line."""

import json
from collections.abc import Iterator

from docs.generate.examples import Shown, in_one_line, last_lines
from tests.dialects_ag_ui.streams import Frames, judged, lines
from tests.dialects_ag_ui.test_ag_ui_rules import CASES, Case


def shown_ag_ui() -> dict[str, list[Shown]]:
    """Return a good and a bad example of each of AG-UI's rules: the shortest that there are."""
    found: dict[str, list[Shown]] = {}
    for case in sorted(CASES, key=lambda case: len(case.frames)):
        for id in case.keeps:
            if not any(each.kind == "good" for each in found.get(id, [])):
                found.setdefault(id, []).append(Shown("good", case.name, _frames(case.frames, set())))
        for id in case.breaks[:1]:
            if id.startswith("AGU") and not any(each.kind == "bad" for each in found.get(id, [])):
                found.setdefault(id, []).append(_bad(id, case))
    return {id: sorted(both, key=lambda each: each.kind, reverse=True) for id, both in found.items()}


def _bad(id: str, case: Case) -> Shown:
    finding = next(finding for finding in judged(lines(case.frames)).findings if finding.requirement == id)
    proofs = {witness.text for witness in finding.witnesses}
    marked = {at for at, frame in enumerate(case.frames) if any(text in proofs for text in _texts(frame))}
    return Shown("bad", case.name, _frames(case.frames, marked), finding.message, finding.expected, finding.actual)


def _texts(frame: object) -> Iterator[str]:
    """Yield how a frame may stand in a verdict."""
    yield json.dumps(frame)
    yield json.dumps(frame, separators=(",", ":"))


def _frames(frames: Frames, marked: set[int]) -> str:
    return last_lines([(at, f"← {in_one_line(json.dumps(frame))}") for at, frame in enumerate(frames)], marked)

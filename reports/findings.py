"""Findings in source for a terminal: one line each, `file:line:` first, so that it can be clicked."""

from conformance.catalogue import Level
from conformance.verdict import Outcome, RequirementVerdict, Verdict
from reports.outline import families, violated
from reports.phrases import WORDS, duration, plural, why
from reports.visible import one_line

_RED, _YELLOW, _DIM, _END = "\x1b[1;31m", "\x1b[1;33m", "\x1b[2m", "\x1b[0m"
_TEXT = 300
_LINE = 160


def render(verdict: Verdict, *, colour: bool, most: int) -> str:
    """Render the findings of a verdict on source, at most so many of each requirement, and what they come to."""
    lines: list[str] = []
    for requirement in violated(verdict):
        lines += _violated(requirement, colour=colour, most=most)
    lines += _notes(verdict, colour=colour, most=most)
    lines += [f"warning: {one_line(warning, limit=_TEXT)}" for warning in verdict.warnings]
    return "\n".join([*lines, *_summary(verdict)])


def _violated(requirement: RequirementVerdict, *, colour: bool, most: int) -> list[str]:
    paint = _RED if requirement.level is Level.MUST else _YELLOW
    head = f"{requirement.id} {requirement.level}"
    lines = []
    for finding in requirement.findings[:most]:
        place = one_line(finding.location or "", limit=_TEXT)
        lines.append(
            f"{place}: {_painted(head, paint, colour=colour)} {one_line(finding.message, limit=_TEXT)}"
            f"  {_painted(one_line(finding.actual, limit=_LINE), _DIM, colour=colour)}"
        )
    left = requirement.violations - min(most, len(requirement.findings))
    if left > 0:
        lines.append(f"… and {left:,} more of {requirement.id}")
    return [*lines, ""]


def _notes(verdict: Verdict, *, colour: bool, most: int) -> list[str]:
    noted = [r for r in verdict.requirements if r.notes]
    counts = [f"{r.id} {len(r.notes)}{' or more' if len(r.notes) >= most else ''}" for r in noted]
    return (
        [
            _painted(
                f"to look at, where no rule can be sure (verdict.json, notes): {', '.join(counts)}", _DIM, colour=colour
            )
        ]
        if counts
        else []
    )


def _summary(verdict: Verdict) -> list[str]:
    took = f"  {duration(verdict.duration_ms)}" if verdict.duration_ms is not None else ""
    open_ones = [r.id for f in families(verdict) for r in f.requirements if r.verdict is Outcome.UNKNOWN]
    lines = [
        f"{WORDS[verdict.verdict]}  {one_line(verdict.target, limit=_TEXT)}{took}  "
        f"{plural(sum(r.violations for r in verdict.requirements), 'violation')}",
        " ".join(why(verdict)),
    ]
    if open_ones:
        lines.append(f"not decided: {', '.join(open_ones)} (agent-conformance requirements ID says what they need)")
    return lines


def _painted(text: str, paint: str, *, colour: bool) -> str:
    return f"{paint}{text}{_END}" if colour and text else text

"""The verdict for GitHub: annotations (workflow commands), the summary of a job, and a comment on a pull request.

What a target says stands in code spans, where it mentions nobody and links to nothing.
"""

import re
from collections.abc import Iterable, Iterator

from conformance.catalogue import Level
from conformance.verdict import RequirementVerdict, Verdict
from reports.markdown import code, families_table, fence
from reports.outline import violated
from reports.phrases import WORDS, duration, measured, narrowed, why
from reports.visible import one_line

MOST_ANNOTATIONS = 10
"""Of each kind: GitHub shows no more of a step."""
_MOST_VIOLATIONS = 8
_BRIEF = 160
_TEXT = 600
_COMMAND = 500
_SOURCE = re.compile(r"(?P<file>(?!history\.jsonl)[\w./ -]+):(?P<line>[0-9]+)")


def annotations(verdict: Verdict) -> str:
    """Render the violations as workflow commands: an error for a MUST, a warning for a SHOULD."""
    broken = violated(verdict)
    lines: list[str] = []
    for level, command in ((Level.MUST, "error"), (Level.SHOULD, "warning")):
        found = [requirement for requirement in broken if requirement.level is level]
        lines += [_annotation(command, requirement, verdict) for requirement in found[:MOST_ANNOTATIONS]]
    lines += [_command("error", {"title": "error in the kit"}, text) for text in verdict.harness_errors[:1]]
    if not lines:
        lines.append(_command("notice", {"title": "agent-conformance"}, " ".join(why(verdict))))
    return "\n".join(lines) + "\n"


def comment(verdict: Verdict) -> str:
    """Render a comment of a few lines (Markdown)."""
    return "\n\n".join(_comment(verdict)) + "\n"


def summary(verdict: Verdict) -> str:
    """Render the summary of a job (Markdown): the comment, and what each family has come to."""
    return "\n\n".join([*_comment(verdict), families_table(verdict)]) + "\n"


def _annotation(command: str, requirement: RequirementVerdict, verdict: Verdict) -> str:
    finding = requirement.findings[0] if requirement.findings else None
    properties = {"title": f"{requirement.id} {requirement.level}"}
    text = requirement.statement
    if finding is not None:
        text = f"{finding.message}\nexpected: {finding.expected}\nseen: {finding.actual}"
        place = _SOURCE.fullmatch(finding.location or "")
        if place:
            properties |= place.groupdict()
    if verdict.repeat:
        text += f"\nrepeat: {narrowed(verdict.repeat, requirement.id)}"
    return _command(command, properties, text)


def _command(command: str, properties: dict[str, str], text: str) -> str:
    """Write a workflow command. Its line breaks are the only ones that are kept, encoded."""
    shown = "%0A".join(_encoded(one_line(line, limit=_TEXT)) for line in text.strip().splitlines()[:12])
    given = ",".join(
        f"{name}={_encoded(one_line(value, limit=_BRIEF)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{command} {given}::{shown}"


def _encoded(text: str) -> str:
    return text.replace("%", "%25")


def _comment(verdict: Verdict) -> Iterator[str]:
    yield f"### {WORDS[verdict.verdict]}: agent conformance of {code(one_line(verdict.target, limit=_BRIEF))}"
    yield " ".join(_facts(verdict))
    broken = violated(verdict)
    if broken:
        yield "\n".join(_violations(broken))
        repeat = narrowed(verdict.repeat, broken[0].id) if verdict.repeat else None
        if repeat:
            yield fence(one_line(repeat, limit=_COMMAND), "sh")


def _facts(verdict: Verdict) -> Iterator[str]:
    yield from (sentence for sentence in why(verdict) if len(sentence) <= _TEXT)
    run = [f"{verdict.events:,} events"]
    run += [duration(verdict.duration_ms)] if verdict.duration_ms is not None else []
    run += [f"seed {verdict.seed}"] if verdict.seed is not None else []
    run += [f"{code(figure.name[:_BRIEF])} {measured(figure)}" for figure in verdict.measurements if _told(figure.name)]
    yield f"{', '.join(run)}."


def _told(name: str) -> bool:
    return name.endswith("p95") or name == "delivered"


def _violations(broken: list[RequirementVerdict]) -> Iterable[str]:
    for requirement in broken[:_MOST_VIOLATIONS]:
        message = requirement.findings[0].message if requirement.findings else requirement.statement
        yield f"- **{requirement.id}** {requirement.level}: {code(one_line(message, limit=_BRIEF))}"
    if len(broken) > _MOST_VIOLATIONS:
        yield f"- and {len(broken) - _MOST_VIOLATIONS} more"

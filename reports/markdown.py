"""The verdict as Markdown (GitHub Flavored Markdown): report.md.

Data stands in code where it can, in fences longer than any run of backticks in it; elsewhere every character that
means something to Markdown or HTML is escaped.
"""

import re
from collections.abc import Iterable, Sequence

from conformance.verdict import Finding, RequirementVerdict, Verdict
from reports.outline import families, rationale, setting, violated, warnings
from reports.phrases import WORDS, caption, environment, measured, narrowed, objective, occurrences, why
from reports.visible import block, longest_run, one_line

_CELL = 300
_SENTENCE = 2_000
_FRAME = 4_000
_TRACE = 8_000
_MEANINGFUL = re.compile(
    r"""[\\`*\[\]|~#$]
    | (?<![^\W_])_ | _(?![^\W_])  # within a word it means nothing
    | (?<=www)\. | :(?=//)       # would make a link
    | ^[-+](?=\s)                # would begin a list
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"^([0-9]+)([.)])(?=\s|$)")


def render(verdict: Verdict) -> str:
    """Render a verdict as a Markdown document."""
    parts = [
        f"# {WORDS[verdict.verdict]}: {prose(verdict.target, limit=_CELL)}",
        "\n".join(f"- {prose(sentence)}" for sentence in why(verdict)),
        *_notes("Warnings", warnings(verdict)),
        *_notes("Errors in the kit itself", verdict.harness_errors),
        "## Families",
        families_table(verdict),
    ]
    broken = violated(verdict)
    if broken:
        parts.append("## Violations")
        for requirement in broken:
            parts += _violation(requirement, verdict.repeat)
    parts += ["## Requirements", _requirements(verdict)]
    if verdict.objectives:
        parts += ["## Objectives", _objectives(verdict)]
    if verdict.measurements:
        parts += ["## Measurements", _measurements(verdict)]
    parts += ["## Environment", _environment(verdict)]
    if verdict.repeat:
        parts += ["## Repeat", fence(one_line(verdict.repeat, limit=_TRACE), "sh")]
    return "\n\n".join(parts) + "\n"


def families_table(verdict: Verdict) -> str:
    """Lay out what each family has come to."""
    headings = ("Family", "Title", "Pass", "Fail", "Unknown", "N/A", "Exercised")
    rows = [
        (
            prose(family.id),
            prose(family.title),
            *(
                f"{count:,}"
                for count in (family.passed, family.failed, family.unknown, family.not_applicable, family.exercised)
            ),
        )
        for family in families(verdict)
    ]
    return table(headings, "llrrrrr", rows)


def _requirements(verdict: Verdict) -> str:
    broken = {requirement.id for requirement in violated(verdict)}
    rows = [
        (
            f"[{prose(r.id)}](#{r.id.lower()})" if r.id in broken and r.id.isascii() else prose(r.id),
            r.level.value,
            f"**{WORDS[r.verdict]}**" if r.id in broken else WORDS[r.verdict],
            f"{r.exercised:,}",
            prose(r.reason, limit=_CELL),
        )
        for family in families(verdict)
        for r in family.requirements
    ]
    return table(("Requirement", "Level", "Verdict", "Exercised", "Reason"), "lllrl", rows)


def _objectives(verdict: Verdict) -> str:
    rows = [
        (each.verdict.value, *(prose(text, limit=_CELL) for text in objective(each))) for each in verdict.objectives
    ]
    return table(("Verdict", "Objective", "Wanted", "Measured (95 % bounds)", "Reason"), "lllrl", rows)


def _measurements(verdict: Verdict) -> str:
    rows = [(prose(m.name, limit=_CELL), prose(measured(m)), f"{m.samples:,}") for m in verdict.measurements]
    return table(("Measurement", "Value", "Samples"), "lrr", rows)


def _environment(verdict: Verdict) -> str:
    return table(("", "Value"), "ll", [(name, prose(value)) for name, value in environment(verdict)])


def _violation(requirement: RequirementVerdict, repeat: str | None) -> Iterable[str]:
    yield f"### {prose(requirement.id)}"
    yield f"**{requirement.level}:** {prose(requirement.statement)}"
    reason = rationale(requirement.id)
    if reason:
        yield f"Why it matters: {prose(reason)}"
    yield f"{occurrences(requirement).capitalize()}."
    for number, finding in enumerate(requirement.findings, 1):
        yield from _finding(number, finding)
    if repeat:
        yield "Repeat this:"
        yield fence(one_line(narrowed(repeat, requirement.id), limit=_TRACE), "sh")


def _finding(number: int, finding: Finding) -> Iterable[str]:
    yield f"#### {number}. {prose(finding.message, limit=_CELL)}"
    lines = [f"- expected: {prose(finding.expected)}", f"- actual: {prose(finding.actual)}"]
    lines += [f"- {name}: {code(value)}" for name, value in setting(finding)]
    yield "\n".join(lines)
    if finding.witnesses:
        frames = [
            f"{one_line(caption(witness), limit=_CELL)}  {one_line(witness.text, limit=_FRAME)}"
            for witness in finding.witnesses
        ]
        yield fence("\n".join(frames), "text")


def _notes(title: str, notes: Sequence[str]) -> Iterable[str]:
    if notes:
        yield f"## {title}"
        for note in notes:
            yield fence(block(note.strip(), limit=_TRACE), "text") if "\n" in note.strip() else f"- {prose(note)}"


def table(headings: Sequence[str], alignment: str, rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table whose cells are Markdown already; `alignment` has an l or r for each column."""
    rules = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rules, *rows))


def prose(text: str, *, limit: int = _SENTENCE) -> str:
    """Write a text of one line as running text, where nothing in it is markup."""
    escaped = _NUMBERED.sub(r"\1\\\2", _MEANINGFUL.sub(r"\\\g<0>", one_line(text, limit=limit)))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Write a text of one line as a code span. Not for tables: there is no way to escape a pipe after a backslash."""
    text = one_line(text, limit=_SENTENCE)
    ticks = "`" * (longest_run(text, "`") + 1)
    return f"{ticks} {text} {ticks}" if text.startswith("`") or text.endswith("`") else f"{ticks}{text}{ticks}"


def fence(text: str, language: str) -> str:
    """Write a text as a code block."""
    ticks = "`" * max(3, longest_run(text, "`") + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"

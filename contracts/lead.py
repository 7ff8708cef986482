"""The audit report that an engineering lead reads, in Markdown: what is wrong, what is well, what to repair first."""

from collections import Counter
from collections.abc import Iterator

from conformance.catalogue import Level
from conformance.catalogue import load as catalogue
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict
from contracts.project import Project
from contracts.rule import rules

_SHOWN = 20
_CELL = 200
_FIRST = ("SRC-15", "SRC-01", "SRC-02", "SRC-18", "SRC-21", "TST-01", "TST-02", "TST-03", "SRC-08", "SRC-22", "SRC-06")
"""What is broken outright, then what makes tests worthless, then what mixes users; the rest by level and number."""


def render(verdict: Verdict, project: Project) -> str:
    """Render the report of an audit."""
    return (
        "\n".join(
            [*_summary(verdict, project), *_order(verdict), *_findings(verdict), *_positive(verdict), *_open(verdict)]
        )
        + "\n"
    )


def _summary(verdict: Verdict, project: Project) -> Iterator[str]:
    lines = sum(facts.lines for facts in project.files)
    tests = sum(facts.is_test for facts in project.files)
    musts, shoulds = (_broken(verdict, level) for level in Level)
    yield f"# Audit of {_text(verdict.target)}"
    yield ""
    yield "## Summary"
    yield ""
    yield (
        f"{len(project.files):,} Python files ({tests:,} of them tests), {lines:,} lines. "
        f"{_named(musts, 'MUST')} violated, {_named(shoulds, 'SHOULD')} violated; "
        f"{verdict.summary.passed} requirements hold, {verdict.summary.unknown} could not be decided."
    )
    yield ""
    worst = Counter(
        (finding.location or "").rpartition(":")[0] for requirement in musts for finding in requirement.findings
    ).most_common(5)
    if worst:
        yield "Most violations of a MUST are in: " + ", ".join(f"`{path}` ({count})" for path, count in worst) + "."
        yield ""


def _order(verdict: Verdict) -> Iterator[str]:
    broken = sorted((r for r in verdict.requirements if r.verdict is Outcome.FAIL), key=_urgency)
    if not broken:
        return
    fixes = {rule.id: rule.fix for rule in rules()}
    yield "## Recommended order of repair"
    yield ""
    for number, requirement in enumerate(broken, start=1):
        yield f"{number}. **{requirement.id}** ({requirement.violations:,}): {_text(fixes[requirement.id])}"
    yield ""


def _urgency(requirement: RequirementVerdict) -> tuple[int, bool, str]:
    place = _FIRST.index(requirement.id) if requirement.id in _FIRST else len(_FIRST)
    return place, requirement.level is not Level.MUST, requirement.id


def _findings(verdict: Verdict) -> Iterator[str]:
    for level, title in ((Level.MUST, "Violations of a MUST"), (Level.SHOULD, "Violations of a SHOULD")):
        broken = _broken(verdict, level)
        if not broken:
            continue
        yield f"## {title}"
        yield ""
        for requirement in broken:
            yield f"### {requirement.id}: {_text(requirement.statement)}"
            yield ""
            yield f"{_text(catalogue()[requirement.id].rationale)} {requirement.reason.capitalize()}."
            yield ""
            yield from _table(requirement.findings)
            if requirement.violations > _SHOWN:
                kept = len(requirement.findings)
                yield f"{requirement.violations - _SHOWN:,} more; the first {kept:,} are in `verdict.json`."
            yield ""


def _table(findings: tuple[Finding, ...]) -> Iterator[str]:
    yield "| Where | What |"
    yield "| --- | --- |"
    for finding in findings[:_SHOWN]:
        yield f"| `{finding.location}` | {_text(finding.message)} |"
    if len(findings) > _SHOWN:
        yield ""


def _positive(verdict: Verdict) -> Iterator[str]:
    held = [r for r in verdict.requirements if r.verdict is Outcome.PASS]
    if held:
        yield "## What is well"
        yield ""
        yield from (f"- {r.id}: {_text(r.statement)} ({_text(r.reason)})" for r in held)
        yield ""


def _open(verdict: Verdict) -> Iterator[str]:
    undecided = [r for r in verdict.requirements if r.verdict is Outcome.UNKNOWN]
    noted = [r for r in verdict.requirements if r.notes]
    if noted:
        yield "## To look at"
        yield ""
        yield "Here no rule can be sure; nothing of it counts as a violation."
        yield ""
        yield from (
            f"- {r.id}: {len(r.notes)}, such as `{r.notes[0].location}`: {_text(r.notes[0].message)}" for r in noted
        )
        yield ""
    if undecided:
        yield "## Not decided"
        yield ""
        yield from (f"- {r.id}: {_text(r.reason)}" for r in undecided)
        yield ""


def _broken(verdict: Verdict, level: Level) -> list[RequirementVerdict]:
    return [r for r in verdict.requirements if r.verdict is Outcome.FAIL and r.level is level]


def _named(broken: list[RequirementVerdict], level: str) -> str:
    count = sum(requirement.violations for requirement in broken)
    return f"{len(broken)} {level} ({count:,} times)" if broken else f"no {level}"


def _text(text: str) -> str:
    """Make a text of the tree fit for a line of Markdown."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_CELL])
    return plain.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")

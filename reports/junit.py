"""The verdict as JUnit XML: junit.xml. One test suite a family, one test case a requirement.

A violated requirement is a failure whose type is its level; what is unknown or does not apply is skipped, with the
reason. What XML 1.0 cannot hold is written as its escape.
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict
from reports.outline import FamilyVerdict, families, setting
from reports.phrases import caption, environment, narrowed, occurrences
from reports.visible import block, one_line

_SENTENCE = 1_000
_FRAME = 2_000
_TRACE = 8_000


def render(verdict: Verdict) -> str:
    """Render a verdict as a JUnit XML document with a declaration."""
    summary = verdict.summary
    root = Element(
        "testsuites",
        name=one_line(f"agent-conformance {verdict.command}: {verdict.target}", limit=_SENTENCE),
        tests=str(len(verdict.requirements)),
        failures=str(summary.failed),
        errors="0",
        time=_seconds(verdict.duration_ms),
    )
    for family in families(verdict):
        _suite(root, family, verdict)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, family: FamilyVerdict, verdict: Verdict) -> None:
    title = f"{family.id}: {family.title}" if family.title else family.id
    suite = SubElement(
        root,
        "testsuite",
        name=one_line(title, limit=_SENTENCE),
        tests=str(len(family.requirements)),
        failures=str(family.failed),
        errors="0",
        skipped=str(family.unknown + family.not_applicable),
        time="0",
    )
    if verdict.began:
        suite.set("timestamp", one_line(verdict.began, limit=_SENTENCE))
    properties = SubElement(suite, "properties")
    for name, value in environment(verdict):
        SubElement(properties, "property", name=name, value=one_line(value, limit=_SENTENCE))
    for requirement in family.requirements:
        _case(suite, family, requirement, verdict.repeat)
    notes = [*verdict.warnings, *verdict.harness_errors]
    if notes:
        SubElement(suite, "system-err").text = "\n".join(block(note.strip(), limit=_TRACE) for note in notes)


def _case(suite: Element, family: FamilyVerdict, requirement: RequirementVerdict, repeat: str | None) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=one_line(f"conformance.{family.id}", limit=_SENTENCE),
        name=one_line(f"{requirement.id} {requirement.statement}", limit=_SENTENCE),
        time="0",
    )
    match requirement.verdict:
        case Outcome.FAIL:
            first = requirement.findings[0].message if requirement.findings else requirement.statement
            message = f"{requirement.level} violated: {one_line(first, limit=_SENTENCE)}"
            failure = SubElement(case, "failure", message=message, type=requirement.level.value)
            failure.text = details(requirement, repeat)
        case Outcome.UNKNOWN:
            SubElement(case, "skipped", message=f"unknown: {one_line(requirement.reason, limit=_SENTENCE)}")
        case Outcome.NOT_APPLICABLE:
            SubElement(case, "skipped", message=f"not applicable: {one_line(requirement.reason, limit=_SENTENCE)}")
        case Outcome.PASS:
            pass


def details(requirement: RequirementVerdict, repeat: str | None) -> str:
    """Write out a violation: its findings with their frames, and how to repeat it."""
    parts = [f"{requirement.level}: {one_line(requirement.statement, limit=_SENTENCE)}", occurrences(requirement)]
    parts += [_finding(finding) for finding in requirement.findings]
    if repeat:
        parts.append(f"repeat: {one_line(narrowed(repeat, requirement.id), limit=_TRACE)}")
    return "\n\n".join(parts)


def _finding(finding: Finding) -> str:
    place = ", ".join(f"{name} {value}" for name, value in setting(finding))
    lines = [
        one_line(f"{finding.message} ({place})" if place else finding.message, limit=_SENTENCE),
        f"  expected  {one_line(finding.expected, limit=_SENTENCE)}",
        f"  actual    {one_line(finding.actual, limit=_SENTENCE)}",
    ]
    lines += [
        f"  {one_line(caption(witness), limit=_SENTENCE)}  {one_line(witness.text, limit=_FRAME)}"
        for witness in finding.witnesses
    ]
    return "\n".join(lines)


def _seconds(ms: float | None) -> str:
    return f"{(ms or 0) / 1000:.3f}"

import re
from collections.abc import Iterator, Set
from xml.etree import ElementTree

import msgspec
import pytest

from conformance.catalogue import Level
from conformance.verdict import Outcome, Verdict
from reports.junit import render
from reports.visible import visible
from tests.reports.report_verdicts import HOSTILE, LONG, VIOLATED, hostile, passing, sample

NAMED = {"name", "tests", "failures", "errors"}
RESULT = (frozenset[str](), {"type", "message"}, frozenset[str]())
CASES = {"testcase", "system-out", "system-err"}
FORM: dict[str, tuple[Set[str], Set[str], Set[str]]] = {
    # element: the attributes that must be there, those that may be, and the elements in it
    "testsuites": (set(), {*NAMED, "time"}, {"testsuite"}),
    "testsuite": (NAMED, {"time", "skipped", "timestamp", "hostname", "id", "package", "file"}, {"properties", *CASES}),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name"}, {"time", "classname"}, {"skipped", "failure", "system-out", "system-err"}),
    "failure": RESULT,
    "skipped": RESULT,
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}
"""What both junit-10.xsd demand, that of Jenkins' xunit plugin and that which pytest holds its own files against.

Only what both let through: `error` is `errors` in one of them.
"""
TIME = re.compile(r"(?:(?:\d{0,3},)*\d{3}|\d{0,3})*(?:\.\d{0,3})?")
MIXED = {"failure", "skipped", "system-out", "system-err"}


def flaws(element: ElementTree.Element) -> Iterator[str]:
    """Tell what of an element, and what is in it, is not as both schemas demand."""
    if element.tag not in FORM:
        yield f"there is no <{element.tag}>"
        return
    needed, allowed, inner = FORM[element.tag]
    given = set(element.attrib)
    yield from (f"<{element.tag}> lacks {name}" for name in needed - given)
    yield from (f"<{element.tag}> must not have {name}" for name in given - needed - allowed)
    yield from (f"<{each.tag}> in <{element.tag}>" for each in element if each.tag not in inner)
    if element.tag != "testcase" and TIME.fullmatch(element.get("time", "")) is None:
        yield f"<{element.tag}> has the time {element.get('time')}"
    if element.tag not in MIXED and ((element.text or "") + "".join(each.tail or "" for each in element)).strip():
        yield f"text in <{element.tag}>"
    for each in element:
        yield from flaws(each)


VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
    pytest.param(hostile("\ud800\ufffe\x00]]>"), id="illegal"),
]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_parses_and_its_counts_are_those_of_the_summary(verdict: Verdict) -> None:
    root = ElementTree.fromstring(render(verdict).encode())
    summary = verdict.summary
    assert root.tag == "testsuites"
    assert int(root.attrib["tests"]) == len(root.findall("testsuite/testcase")) == len(verdict.requirements)
    assert int(root.attrib["failures"]) == len(root.findall("testsuite/testcase/failure")) == summary.failed
    skipped = summary.unknown + summary.not_applicable
    assert len(root.findall("testsuite/testcase/skipped")) == skipped
    for suite in root.findall("testsuite"):
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_fits_the_schemas_of_pytest_and_jenkins(verdict: Verdict) -> None:
    assert list(flaws(ElementTree.fromstring(render(verdict).encode()))) == []


def test_what_does_not_fit_is_told() -> None:
    text = '<testsuites skipped="1" time="1,5s"><testsuite name="n">x<error/><testcase/></testsuite></testsuites>'
    assert sorted(flaws(ElementTree.fromstring(text))) == [
        "<error> in <testsuite>",
        "<testcase> lacks name",
        "<testsuite> lacks errors",
        "<testsuite> lacks failures",
        "<testsuite> lacks tests",
        "<testsuites> has the time 1,5s",
        "<testsuites> must not have skipped",
        "text in <testsuite>",
        "there is no <error>",
    ]


def test_suites_are_the_families_in_reading_order() -> None:
    root = ElementTree.fromstring(render(sample()).encode())
    suites = root.findall("testsuite")
    assert [suite.attrib["name"][:3] for suite in suites] == [
        *("EVT", "SCH", "IDN", "ORD", "ISO", "ACC", "LIF", "DLV", "AGU", "SRC", "TST")
    ]
    for suite in suites:
        assert {case.attrib["classname"] for case in suite.findall("testcase")} == {
            f"conformance.{suite.attrib['name'][:3]}"
        }


def test_a_failure_has_its_level_message_and_evidence() -> None:
    root = ElementTree.fromstring(render(sample()).encode())
    failures = {
        case.attrib["name"].split()[0]: failure
        for case in root.iter("testcase")
        if (failure := case.find("failure")) is not None
    }
    assert failures.keys() == VIOLATED.keys()
    assert {id: failure.attrib["type"] for id, failure in failures.items()} == {
        "EVT-05": Level.MUST.value,
        "SCH-04": Level.SHOULD.value,
        "ISO-01": Level.MUST.value,
        "SRC-01": Level.MUST.value,
    }
    assert failures["ISO-01"].attrib["message"] == "MUST violated: a tool of run 1 is never completed"
    text = failures["EVT-05"].text or ""
    assert text.count("\n  expected  exactly one completion") == 10
    assert text.endswith("--only EVT-05")


def test_what_was_not_decided_is_skipped_with_the_reason() -> None:
    root = ElementTree.fromstring(render(sample()).encode())
    skipped = {
        case.attrib["name"].split()[0]: mark.attrib["message"]
        for case in root.iter("testcase")
        if (mark := case.find("skipped")) is not None
    }
    assert skipped["EVT-12"] == "unknown: no check yet"
    assert skipped["TST-01"] == "not applicable: needs a source tree: agent-conformance audit PATH"
    assert len(skipped) == sum(r.verdict in (Outcome.UNKNOWN, Outcome.NOT_APPLICABLE) for r in sample().requirements)


def test_what_xml_cannot_hold_is_escaped_and_the_rest_comes_through() -> None:
    root = ElementTree.fromstring(render(hostile()).encode())
    failure = root.find(".//failure")
    assert failure is not None
    assert visible(HOSTILE) in (failure.text or "")
    assert visible(HOSTILE) in failure.attrib["message"]
    texts = [part for element in root.iter() for part in (element.text or "", *element.attrib.values())]
    assert {c for text in texts for c in text if not c.isprintable()} <= {"\n"}


def test_a_violation_without_a_kept_finding_is_still_a_failure() -> None:
    verdict = sample()
    bare = tuple(msgspec.structs.replace(r, findings=()) for r in verdict.requirements)
    root = ElementTree.fromstring(render(msgspec.structs.replace(verdict, requirements=bare)).encode())
    messages = [failure.attrib["message"] for failure in root.iter("failure")]
    assert len(messages) == len(VIOLATED)
    assert "SHOULD violated: Unknown event types are namespaced or declared." in messages

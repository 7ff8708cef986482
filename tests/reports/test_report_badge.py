from xml.etree import ElementTree

import pytest

from conformance.verdict import Verdict
from reports.badge import render
from tests.reports.report_verdicts import hostile, passing, sample


@pytest.mark.parametrize(("verdict", "text"), [(sample(), "fail"), (passing(), "pass"), (hostile(), "fail 1/2")])
def test_a_badge_is_a_picture_that_says_the_verdict(verdict: Verdict, text: str) -> None:
    root = ElementTree.fromstring(render(verdict))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    shown = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert shown[0] == "agent conformance"
    assert shown[1].startswith(text)
    assert float(root.attrib["width"]) > 120
    assert "evil.example" not in render(verdict)

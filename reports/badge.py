"""The verdict as a badge: a small SVG picture for a README."""

from conformance.catalogue import Level
from conformance.verdict import Outcome, Verdict
from reports.html import picture
from reports.phrases import WORDS

_LABEL = "agent conformance"
_LETTER_PX = 6.6
_PADDING_PX = 10
_COLOURS = {Outcome.PASS: "#17703a", Outcome.FAIL: "#b3211c", Outcome.UNKNOWN: "#875800"}


def render(verdict: Verdict) -> str:
    """Render a verdict as an SVG badge: the verdict, and how many MUSTs hold of those that were decided."""
    musts = [requirement.verdict for requirement in verdict.requirements if requirement.level is Level.MUST]
    held, broken = musts.count(Outcome.PASS), musts.count(Outcome.FAIL)
    text = f"{WORDS[verdict.verdict].lower()} {held}/{held + broken}"
    left, right = (round(len(words) * _LETTER_PX + 2 * _PADDING_PX) for words in (_LABEL, text))
    colour = _COLOURS.get(verdict.verdict, "#586273")
    return picture("badge.svg.jinja", label=_LABEL, text=text, left=left, right=right, colour=colour)

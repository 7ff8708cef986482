"""How a report is arranged: the families in reading order, and what the catalogue says about them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.catalogue import load
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict, cause

ORDER = ("EVT", "SCH", "IDN", "ORD", "ISO", "ACC", "LIF", "DLV", "AGU", "SRC", "TST")
"""What a user sees first comes first, the source code last. A family that is not listed follows these."""

_OF_SCENARIO = re.compile(r"scenario (?P<name>[\w-]+): (?P<said>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FamilyVerdict:
    """The requirements of one family that were judged, in the order of the verdict. `title` may be empty."""

    id: str
    title: str
    requirements: tuple[RequirementVerdict, ...]

    @property
    def passed(self) -> int:
        """How many requirements hold."""
        return self._count(Outcome.PASS)

    @property
    def failed(self) -> int:
        """How many requirements are violated."""
        return self._count(Outcome.FAIL)

    @property
    def unknown(self) -> int:
        """How many requirements apply and could not be decided."""
        return self._count(Outcome.UNKNOWN)

    @property
    def not_applicable(self) -> int:
        """How many requirements do not apply to the target."""
        return self._count(Outcome.NOT_APPLICABLE)

    @property
    def exercised(self) -> int:
        """How many situations could have shown a violation."""
        return sum(requirement.exercised for requirement in self.requirements)

    @property
    def applies(self) -> bool:
        """Whether at least one requirement applies to the target."""
        return self.not_applicable < len(self.requirements)

    def _count(self, outcome: Outcome) -> int:
        return sum(requirement.verdict is outcome for requirement in self.requirements)


def families(verdict: Verdict) -> list[FamilyVerdict]:
    """Group the requirements of a verdict by family, in reading order. A family without any is left out."""
    titles = {family.id: family.title for family in load().families}
    members: dict[str, list[RequirementVerdict]] = {id: [] for id in ORDER}
    for requirement in verdict.requirements:
        members.setdefault(requirement.id.partition("-")[0], []).append(requirement)
    return [FamilyVerdict(id, titles.get(id, ""), tuple(found)) for id, found in members.items() if found]


def violated(verdict: Verdict) -> list[RequirementVerdict]:
    """Return the violated requirements in reading order."""
    return [r for family in families(verdict) for r in family.requirements if r.verdict is Outcome.FAIL]


def by_reason(requirements: Iterable[RequirementVerdict]) -> dict[str, list[str]]:
    """Fold requirements that share a reason: the ids for each reason, in the order they come."""
    folded: dict[str, list[str]] = {}
    for requirement in requirements:
        folded.setdefault(requirement.reason, []).append(requirement.id)
    return folded


def warnings(verdict: Verdict) -> list[str]:
    """Return the warnings; scenarios of which the same is said are told together, in the words of the first."""
    folded: dict[str, list[tuple[str, str]]] = {}
    for warning in verdict.warnings:
        told = _OF_SCENARIO.fullmatch(warning)
        name, said = (told["name"], told["said"]) if told else ("", warning)
        folded.setdefault(cause(said) if told else said, []).append((name, said))
    return [_together(same) for same in folded.values()]


def _together(same: list[tuple[str, str]]) -> str:
    names, said = [name for name, _ in same], same[0][1]
    if not names[0]:
        return said
    return f"scenario{'s' if len(names) > 1 else ''} {', '.join(names)}: {said}"


def rationale(id: str) -> str:
    """Say what goes wrong without a requirement, or nothing where this catalogue does not know the id."""
    catalogue = load()
    return catalogue[id].rationale if id in catalogue else ""


def setting(finding: Finding) -> list[tuple[str, str]]:
    """Name where a finding was made, as far as it is known: run, user, scenario, location."""
    known = (
        ("run", finding.run_id),
        ("user", finding.user),
        ("scenario", finding.scenario),
        ("at", finding.location),
    )
    return [(name, value) for name, value in known if value]

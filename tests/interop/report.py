"""`reports/samples/interop.md`: agent × requirement, from the verdicts and baselines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.baseline import Baseline, Comparison, Known
from conformance.verdict import Outcome, RequirementVerdict, Verdict

_MARKS = {Outcome.PASS: "held", Outcome.FAIL: "**violated**", Outcome.UNKNOWN: "–", Outcome.NOT_APPLICABLE: "n/a"}
_SITUATIONS = {
    "a tool fails": ("tool-failure",),
    "tools run side by side, some slow, one fails": ("parallel-tools", "busy-talk"),
    "the model fails": ("model-failure",),
    "the client leaves in the middle": ("left", "left-in-a-tool"),
    "several runs on one thread at once": ("one-thread-twice",),
    "another user's thread is named": ("foreign-thread",),
    "{users} users at once": ("crowd",),
    "a neighbour's runs fail and hang": ("bad-neighbour",),
    "one user opens runs without end": ("greedy-neighbour",),
    "the server is asked to end": ("rolling-restart",),
}


@dataclass(frozen=True)
class Judged:
    """One agent: what was tested in which version, the verdict, and the verdict held against its baseline."""

    name: str
    tested: dict[str, str]
    verdict: Verdict
    comparison: Comparison
    baseline: Baseline

    @property
    def versions(self) -> str:
        """What was tested."""
        return ", ".join(f"{name} {version}" for name, version in self.tested.items())

    @property
    def violations(self) -> list[Known]:
        """What it violates: what was seen, and the races, which are not seen every time."""
        return [entry for entry in self.baseline.known if entry.flaky or entry in self.comparison.seen]

    def requirement(self, id: str) -> RequirementVerdict | None:
        """Return the verdict on a requirement; None where it was left out."""
        return next((one for one in self.verdict.requirements if one.id == id), None)

    def mark(self, id: str) -> str:
        """Return what came of a requirement, in a word."""
        entries = [entry for entry in self.violations if entry.requirement == id]
        if entries and all(entry.flaky for entry in entries):
            return "**race**"
        requirement = self.requirement(id)
        return _MARKS[requirement.verdict] if requirement is not None else "–"

    def scenarios(self, entry: Known) -> list[str]:
        """Return the scenarios in which an entry is known to be seen; where it names none, in which it was."""
        seen = {found.scenario for found in self.verdict.findings if entry.covers(found) and found.scenario}
        return sorted(entry.scenario or seen)


def render(judged: Sequence[Judged], *, users: int) -> str:
    """Return the report: what was tested, what breaks where and why, and every requirement."""
    parts = [_head(judged), _situations(judged, users), _broken(judged)]
    return "\n".join(line for part in (*parts, *map(_section, judged), _all(judged)) for line in part)


def _head(judged: Sequence[Judged]) -> list[str]:
    must = sum(_count(one, "MUST") for one in judged)
    return [
        "# Interop: what agents of others do",
        "",
        "The kit drove agents built with frameworks of others, each on a small server of ours as the project's guides",
        "have it (`tests/interop/NAME/server.py`), with the kit's model and tools: so it is known what really",
        f"happened. {must} violations of a MUST are listed; each was read in the raw frames, and in the source that is",
        "named with it.",
        "",
        "Written by `make interop`: it installs the pinned versions, drives every agent, and fails where something is",
        "violated that is not listed here, or not any more. Nothing but the installation needs a network. How fast an",
        "agent is (DLV-02, DLV-09) is not judged: here that would tell of the machine.",
        "",
        "| agent | versions | dialect | MUST held | MUST violated | SHOULD violated | not decided |",
        "|---|---|---|---|---|---|---|",
        *(_counts(one) for one in judged),
        "",
    ]


def _counts(one: Judged) -> str:
    of = one.verdict.requirements
    held = sum(r.verdict is Outcome.PASS and r.level == "MUST" for r in of)
    unknown = sum(r.verdict is Outcome.UNKNOWN for r in of)
    cells = (one.name, one.versions, one.verdict.dialect, held, _count(one, "MUST"), _count(one, "SHOULD"), unknown)
    return f"| {' | '.join(map(str, cells))} |"


def _count(one: Judged, level: str) -> int:
    ids = {entry.requirement for entry in one.violations}
    return sum(r.id in ids and r.level == level for r in one.verdict.requirements)


def _situations(judged: Sequence[Judged], users: int) -> list[str]:
    lines = ["## What happens when", "", *_header(["", *(one.name for one in judged)])]
    for title, scenarios in _SITUATIONS.items():
        cells = (_came_of(one, scenarios) for one in judged)
        lines.append(f"| {title.format(users=users)} | {' | '.join(cells)} |")
    return [*lines, "", "`ok`: all that could be decided there held; an id: that is violated there.", ""]


def _came_of(one: Judged, scenarios: tuple[str, ...]) -> str:
    broken = {entry.requirement for entry in one.violations if any(name in scenarios for name in one.scenarios(entry))}
    if broken:
        return f"**{', '.join(sorted(broken))}**"
    missed = [
        name for name in scenarios for said in one.verdict.warnings if said.startswith(f"scenario {name}: not played")
    ]
    return "not played" if len(missed) == len(scenarios) else "ok"


def _broken(judged: Sequence[Judged]) -> list[str]:
    broken = sorted({entry.requirement for one in judged for entry in one.violations})
    title = "## What they break"
    return [title, "", *_matrix(judged, broken), "", "`–` not decided; n/a: the agent does not claim to do that.", ""]


def _all(judged: Sequence[Judged]) -> list[str]:
    ids = sorted(
        {
            requirement.id
            for one in judged
            for requirement in one.verdict.requirements
            if requirement.verdict in (Outcome.PASS, Outcome.FAIL)
        }
    )
    return ["## Every requirement that was decided", "", *_matrix(judged, ids), ""]


def _matrix(judged: Sequence[Judged], ids: Iterable[str]) -> list[str]:
    lines = _header(["requirement", "", *(one.name for one in judged)])
    for id in ids:
        first = next(found for one in judged if (found := one.requirement(id)) is not None)
        lines.append(f"| {id} {first.level} | {first.statement} | {' | '.join(one.mark(id) for one in judged)} |")
    return lines


def _header(cells: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |", f"|{'---|' * len(cells)}"]


def _section(one: Judged) -> list[str]:
    lines = [f"## {one.name}", "", f"{one.versions}. Repeat: `make interop ONLY={one.name}`", ""]
    if not one.violations:
        return [*lines, "Nothing is violated.", ""]
    return [*lines, *(line for entry in one.violations for line in _entry(entry, one)), ""]


def _entry(entry: Known, one: Judged) -> Iterable[str]:
    requirement = one.requirement(entry.requirement)
    level = f" {requirement.level}" if requirement is not None else ""
    race = " (a race: not in every run)" if entry.flaky else ""
    yield f"- **{entry.requirement}**{level}{race}: {in_one_line(entry.reason)}"
    if entry.upstream:
        yield f"  - source: {in_one_line(entry.upstream)}"
    yield f"  - scenario: {', '.join(one.scenarios(entry)) or 'any'};" + (
        f' repeat: `make interop ONLY="{one.name} --only {entry.requirement}"`'
    )


def in_one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())

"""`reports/samples/interop.md`: agent × requirement, from the verdicts and baselines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.baseline import Comparison, Known
from conformance.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Judged:
    """One agent: what was tested in which version, the verdict, and the verdict held against its baseline."""

    name: str
    tested: dict[str, str]
    verdict: Verdict
    comparison: Comparison


_MARKS = {Outcome.PASS: "pass", Outcome.FAIL: "**fail**", Outcome.UNKNOWN: "–", Outcome.NOT_APPLICABLE: "n/a"}


def render(judged: Sequence[Judged]) -> str:
    """Return the report: a table of what they break, then each agent's violations with their reasons."""
    return "\n".join([*_head(judged), *_table(judged), *(line for one in judged for line in _section(one))])


def _head(judged: Sequence[Judged]) -> list[str]:
    return [
        "# Interop: agents of others",
        "",
        "Written by `make interop` from the verdicts of the kit on agents that others wrote. Each is behind a small",
        "server of ours (`tests/interop/`) and has the kit's model and tools. What is listed was confirmed in the",
        "frames and in the project's own source.",
        "",
        "| agent | versions | MUST held | MUST violated | SHOULD violated | undecided |",
        "|---|---|---|---|---|---|",
        *(_counts(one) for one in judged),
        "",
    ]


def _counts(one: Judged) -> str:
    stable = {entry.requirement for entry in one.comparison.seen if not entry.flaky}
    of = one.verdict.requirements
    held = sum(r.verdict is Outcome.PASS and r.level == "MUST" for r in of)
    failed = [r for r in of if r.id in stable]
    unknown = sum(r.verdict is Outcome.UNKNOWN for r in of)
    versions = ", ".join(f"{name} {version}" for name, version in one.tested.items())
    musts = sum(r.level == "MUST" for r in failed)
    return f"| {one.name} | {versions} | {held} | {musts} | {len(failed) - musts} | {unknown} |"


def _table(judged: Sequence[Judged]) -> list[str]:
    broken = sorted({entry.requirement for one in judged for entry in one.comparison.seen if not entry.flaky})
    outcomes = [{r.id: r for r in one.verdict.requirements} for one in judged]
    lines = [
        "## What they break",
        "",
        f"| requirement | | {' | '.join(one.name for one in judged)} |",
        f"|---|---|{'---|' * len(judged)}",
    ]
    for id in broken:
        first = next(table[id] for table in outcomes if id in table)
        marks = " | ".join(_MARKS[table[id].verdict] if id in table else "–" for table in outcomes)
        lines.append(f"| {id} {first.level} | {first.statement} | {marks} |")
    return [*lines, "", "`–` was not decided; n/a: the agent does not claim to do that.", ""]


def _section(one: Judged) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in one.tested.items())
    lines = [f"## {one.name}", "", f"{versions}. Repeat with `make interop ONLY={one.name}`.", ""]
    stable = [entry for entry in one.comparison.seen if not entry.flaky]
    if not stable:
        return [*lines, "Nothing is violated.", ""]
    return [*lines, *(line for entry in stable for line in _entry(entry, one.verdict)), ""]


def _entry(entry: Known, verdict: Verdict) -> Iterable[str]:
    where = f" ({entry.scenario})" if entry.scenario else ""
    yield f"- **{entry.requirement}**{where}: {' '.join(entry.reason.split())}"
    if entry.upstream:
        yield f"  - source: {' '.join(entry.upstream.split())}"
    finding = next(
        (found for requirement in verdict.requirements for found in requirement.findings if entry.covers(found)), None
    )
    if finding is not None:
        yield f"  - seen in scenario `{finding.scenario}`: {finding.message}; expected {finding.expected}"

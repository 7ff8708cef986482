"""The words that all reports share. What they put in from a target is raw: each format makes it fit to be shown."""

import math
import re
from collections.abc import Iterable
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from conformance.catalogue import Level
from conformance.verdict import Measurement, Met, ObjectiveVerdict, Outcome, RequirementVerdict, Verdict, Witness

WORDS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.UNKNOWN: "UNKNOWN",
    Outcome.NOT_APPLICABLE: "N/A",
}
_LOAD = re.compile(r"agent-conformance\s+load\b")
_ONLY = re.compile(r"""\s--only(?:=|\s+)(?:'[^']*'|"[^"]*"|\S+)""")


def why(verdict: Verdict) -> list[str]:
    """Give the reasons for the verdict on the whole, one sentence each, the gravest first."""
    musts = [requirement for requirement in verdict.requirements if requirement.level is Level.MUST]
    shoulds = [requirement for requirement in verdict.requirements if requirement.level is Level.SHOULD]
    broken, held, undecided = (_ids(musts, outcome) for outcome in (Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN))
    advised = _ids(shoulds, Outcome.FAIL)
    sentences = []
    if broken:
        sentences.append(f"{len(broken)} MUST violated: {', '.join(broken)}.")
    elif held:
        sentences.append(f"{len(held)} MUST held, none violated.")
    else:
        sentences.append("No MUST could be decided.")
    if advised:
        sentences.append(f"{len(advised)} SHOULD violated: {', '.join(advised)}.")
    if undecided:
        sentences.append(f"{len(undecided)} MUST that apply could not be decided.")
    for met, told in ((Met.VIOLATED, "violated"), (Met.UNDECIDED, "undecided"), (Met.MET, "met")):
        names = [objective(each)[0] for each in verdict.objectives if each.verdict is met]
        if names:
            sentences.append(f"{plural(len(names), 'objective')} {told}: {', '.join(names)}.")
    if verdict.harness_errors:
        sentences.append(f"{plural(len(verdict.harness_errors), 'error')} in the kit itself.")
    return sentences


def environment(verdict: Verdict) -> list[tuple[str, str]]:
    """List what the run was made of, as name and value; what is not known is left out."""
    rows = (
        ("target", verdict.target),
        ("dialect", verdict.dialect),
        ("capabilities", ", ".join(verdict.capabilities)),
        ("command", verdict.command),
        ("profile", verdict.profile),
        ("seed", None if verdict.seed is None else str(verdict.seed)),
        ("began", verdict.began),
        ("duration", None if verdict.duration_ms is None else duration(verdict.duration_ms)),
        ("operations", f"{verdict.operations:,}"),
        ("events", f"{verdict.events:,}"),
        ("kit", verdict.kit),
        ("catalogue", f"revision {verdict.catalogue}"),
    )
    return [(name, value) for name, value in rows if value]


def occurrences(requirement: RequirementVerdict) -> str:
    """Say how often a requirement was violated, and how many findings of it were kept."""
    kept = len(requirement.findings)
    times = max(requirement.violations, kept)
    if times > kept:
        return f"violated {plural(times, 'time')}, {plural(kept, 'finding')} kept"
    return f"violated {plural(times, 'time')}"


def measured(measurement: Measurement) -> str:
    """Write a measured value with its unit. A ratio is never rounded up: 99.99999 % is not 100 %."""
    if not math.isfinite(measurement.value):
        return f"{measurement.value} {measurement.unit}"
    ratio = measurement.unit == "%"
    step, rounding = ("0.0001", ROUND_FLOOR) if ratio else ("0.001", ROUND_HALF_EVEN)
    value = f"{Decimal(str(measurement.value)).quantize(Decimal(step), rounding):,f}"
    return f"{value.rstrip('0').rstrip('.')} {measurement.unit}"


def objective(judged: ObjectiveVerdict) -> tuple[str, str, str, str]:
    """Write an objective: its name, what is wanted, what was measured with its bounds, and why."""
    name = f"{judged.name} of {judged.behaviour}" if judged.behaviour else judged.name
    least = "at least" if judged.name == "delivered" else "at most"
    value = "-"
    if judged.value is not None:
        low, high = _figure(judged.low, judged.unit), _figure(judged.high, judged.unit)
        value = f"{_figure(judged.value, judged.unit)} ({low} to {high})"
    more = f"; {judged.needed:,} would decide it" if judged.needed is not None else ""
    return name, f"{least} {_figure(judged.bound, judged.unit)}", value, f"{judged.reason}{more}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "?"
    return f"{value:.3%}" if unit == "share" else f"{value:,.1f} {unit}"


def caption(witness: Witness) -> str:
    """Say which operation a witness is: its line, time, connection, user, and what it was."""
    parts = [f"line {witness.line}", f"{witness.at_ms:,.1f} ms"]
    if witness.conn is not None:
        parts.append(f"conn {witness.conn} ({witness.user})" if witness.user else f"conn {witness.conn}")
    elif witness.user:
        parts.append(witness.user)
    return "  ".join([*parts, witness.what])


def narrowed(repeat: str, id: str) -> str:
    """Narrow the command that repeats a run to one requirement; a load is repeated as it was."""
    if _LOAD.match(repeat):
        return repeat
    return f"{_ONLY.sub('', repeat)} --only {id}"


def duration(ms: float) -> str:
    """Write a duration given in ms: 850 ms, 12.3 s, 2 min 5 s."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes:,} min {seconds} s"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun, which takes an s in the plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _ids(requirements: Iterable[RequirementVerdict], outcome: Outcome) -> list[str]:
    return [requirement.id for requirement in requirements if requirement.verdict is outcome]

"""The stability report: may the candidate be released? Every claim rests on a figure or a witness of a run."""

from collections.abc import Iterable

from conformance.catalogue import Level
from conformance.verdict import Outcome, Verdict
from reports import goals
from reports.compare import Change, Comparison, Judged, Row
from reports.document import Claim, Document, Link, Section, address, table
from reports.outline import ORDER
from reports.performance import ALPHA, BY, CONFIDENCE, FEWEST, Quantile, Waits
from reports.phrases import WORDS, measured, plural
from reports.recommendation import Advice, advice, rules
from reports.risks import evidence, risks

_COMPLETENESS = frozenset(("EVT", "SCH", "ORD", "DLV"))
_ISOLATION = frozenset(("ISO", "ACC", "IDN"))
_SOURCE = frozenset(("SRC", "TST"))


def document(comparison: Comparison) -> Document:
    """Write the report."""
    recommended, reasons = advice(comparison)
    candidate = comparison.candidate[0].verdict
    outcomes = {Advice.APPROVE: "pass", Advice.WAIVERS: "unknown", Advice.BLOCK: "fail"}
    sections = (
        _summary(comparison, recommended, reasons),
        _scope(comparison),
        _changes(comparison),
        _family("completeness", "Event completeness", comparison, _COMPLETENESS),
        _family("isolation", "Isolation and security", comparison, _ISOLATION),
        _integration(comparison),
        _performance(comparison),
        *goals.section(comparison.goals),
        _family("source", "Source contracts", comparison, _SOURCE),
        _critical(comparison),
        risks(comparison),
        rules(recommended, reasons),
    )
    return Document(f"{recommended.capitalize()}: {candidate.target}", outcomes[recommended], sections)


# -- sections ---------------------------------------------------------------------------------------------------------


def _summary(comparison: Comparison, recommended: Advice, reasons: list[str]) -> Section:
    became = {change: len(comparison.changed(change)) for change in Change}
    counts = [f"{plural(count, 'requirement')} {change}" for change, count in became.items() if count]
    claims = [Claim(f"Recommendation: {recommended}.", (Link("rules", "#recommendation"),))]
    claims += [Claim(reason, (_behind(reason),)) for reason in reasons]
    claims += [Claim(f"{', '.join(counts) or 'No requirement was judged'}.", (Link("what changed", "#changes"),))]
    claims += [Claim(_speed(waits), (Link("performance", "#performance"),)) for waits in comparison.waits]
    return Section("summary", "Executive summary", tuple(claims))


def _behind(reason: str) -> Link:
    """Link from a reason of the recommendation to what it rests on."""
    if "p95" in reason:
        return Link("performance", "#performance")
    return Link("what was seen", "#critical") if "MUST" in reason else Link("risks", "#risks")


def _scope(comparison: Comparison) -> Section:
    rows = []
    for name, runs in (("baseline", comparison.baseline), ("candidate", comparison.candidate)):
        for run in runs:
            v = run.verdict
            facts = (v.dialect or "", v.profile or "", str(v.seed), v.began or "", f"{v.events:,}", v.kit)
            rows.append((name, Link(v.target, address(run.report)), WORDS[v.verdict], *facts, str(v.catalogue)))
    headings = ("Side", "Target", "Verdict", "Dialect", "Profile", "Seed", "Began", "Events", "Kit", "Catalogue")
    method = Claim(
        "Each run was driven and judged by the kit; a requirement fails on a side where it failed in any of its runs, "
        "and holds where it held in one and failed in none. What no run exercised is unknown, never held."
    )
    return Section(
        "scope", "Scope and method", (method, *_differences(comparison)), (table(headings, "lllllllrll", rows),)
    )


def _changes(comparison: Comparison) -> Section:
    rows = [row for change in Change if change is not Change.SAME for row in comparison.changed(change)]
    claims = () if rows else (Claim("No requirement changed its outcome.", (Link("all", "#critical"),)),)
    changed = table(
        ("Requirement", "Level", "Change", "Baseline", "Candidate", "Evidence"),
        "llllll",
        [
            (row.id, row.level.value, row.change.value, _outcome(row.before), _outcome(row.after), evidence(row))
            for row in rows
        ],
    )
    return Section("changes", "What changed", claims, (changed,) if rows else ())


def _family(id: str, title: str, comparison: Comparison, families: frozenset[str]) -> Section:
    rows = [row for row in comparison.rows if row.id.partition("-")[0] in families]
    judged = [row.after.outcome for row in rows if row.after]
    if not judged or all(outcome is Outcome.NOT_APPLICABLE for outcome in judged):
        return Section(id, title, (Claim("Not judged in these runs.", (Link("scope", "#scope"),)),))
    counts = ", ".join(f"{judged.count(outcome)} {WORDS[outcome].lower()}" for outcome in Outcome if outcome in judged)
    exercised = sum(row.after.exercised for row in rows if row.after)
    overall = Claim(f"{counts}; {exercised:,} situations could have shown a violation.", (Link("counts", "#critical"),))
    failed = [row for row in rows if row.after and row.after.outcome is Outcome.FAIL]
    claims = [Claim(f"{row.id}: {_seen(row)}", (evidence(row),)) for row in failed]
    return Section(id, title, (overall, *claims))


def _integration(comparison: Comparison) -> Section:
    before, after = comparison.baseline[0].verdict, comparison.candidate[0].verdict
    lost, new = set(before.capabilities) - set(after.capabilities), set(after.capabilities) - set(before.capabilities)
    link = (Link("environment", address(comparison.candidate[0].report)),)
    claims = [
        Claim(f"The candidate speaks {after.dialect}; it has: {', '.join(after.capabilities) or 'nothing'}.", link)
    ]
    claims += [Claim(f"The baseline had, and the candidate has not: {', '.join(sorted(lost))}.", link)] if lost else []
    claims += [Claim(f"The candidate has, and the baseline had not: {', '.join(sorted(new))}.", link)] if new else []
    return Section("integration", "Integration points", tuple(claims))


def _performance(comparison: Comparison) -> Section:
    method = Claim(
        "Method: the p95 of each run is one sample, because runs differ by more than what is within them. What "
        "disturbs a run makes it slower, never faster, so the candidate's fastest run decides: slower is claimed where "
        f"so many of the baseline's runs, made {BY} slower, are faster even than that as would come by chance in "
        f"{ALPHA:.0%} of comparisons of like runs at most (an exact precedence test). That needs five runs a side, or "
        f"more on one, each of {FEWEST} samples at least; of six one may be disturbed, of eight two, of ten four. The "
        "runs of both sides should be taken by turns. Percentiles are of all samples of a side; bounds at "
        f"{CONFIDENCE:.0%}, by order statistics."
    )
    if not comparison.waits:
        return Section(
            "performance",
            "Performance",
            (method, Claim("No waits were measured on both sides.", (Link("runs", "#scope"),))),
        )
    rows = [
        (
            waits.name,
            f"p{before.percent}",
            _bounded(before),
            _bounded(after),
            *(f"{count:,}" for count in waits.samples),
        )
        for waits in comparison.waits
        for before, after in zip(waits.before, waits.after, strict=True)
    ]
    figures = table(("Wait", "", "Baseline ms", "Candidate ms", "Samples", "Samples"), "llrrrr", rows)
    p95s = table(
        ("Wait", "Side", "p95 of each run, in ms"),
        "lll",
        [
            (waits.name, side, ", ".join(f"{ms:.3g}" for ms in sorted(values)))
            for waits in comparison.waits
            for side, values in (("baseline", waits.baseline), ("candidate", waits.candidate))
        ],
    )
    shares = [
        Claim(f"{name}: {measured(figure)} of {figure.samples:,}.", (Link(run.verdict.target, address(run.report)),))
        for name, runs in (("Baseline", comparison.baseline), ("Candidate", comparison.candidate))
        for run in runs
        for figure in run.verdict.measurements
        if figure.name == "delivered"
    ]
    speeds = [Claim(_speed(waits), (Link("p95 of each run", "#performance"),)) for waits in comparison.waits]
    return Section("performance", "Performance", (method, *speeds, *shares), (figures, p95s))


def _critical(comparison: Comparison) -> Section:
    musts = [row for row in comparison.rows if row.level is Level.MUST and row.after]
    order = {family: place for place, family in enumerate(ORDER)}
    musts.sort(key=lambda row: order.get(row.id.partition("-")[0], len(order)))
    applies = [row for row in musts if row.after and row.after.outcome is not Outcome.NOT_APPLICABLE]
    exercised = [row for row in applies if row.after and row.after.exercised]
    claim = Claim(
        f"{len(exercised)} of the {len(applies)} MUSTs that apply were exercised by the candidate.",
        (Link("how often each", "#critical"),),
    )
    rows = [
        (evidence(row), _times(row.before), _times(row.after), _outcome(row.after), row.statement) for row in applies
    ]
    headings = ("MUST", "Baseline exercised", "Candidate exercised", "Candidate", "Statement")
    return Section("critical", "Coverage of critical paths", (claim,), (table(headings, "lrrll", rows),))


# -- words ------------------------------------------------------------------------------------------------------------


def _speed(waits: Waits) -> str:
    runs = f"{plural(len(waits.baseline), 'run')} of enough samples against {len(waits.candidate)}"
    if waits.p is None:
        return f"{waits.name}: {runs} are too few to claim that the candidate is slower, or that it is not."
    if waits.regressed:
        return f"{waits.name}: the p95 is more than {BY} higher (p = {waits.p:.4f}, {runs})."
    return f"{waits.name}: no p95 that is more than {BY} higher could be shown (p = {waits.p:.3f}, {runs})."


def _differences(comparison: Comparison) -> Iterable[Claim]:
    """Name what makes the two sides harder to compare."""
    for name in ("dialect", "profile", "kit", "catalogue", "command"):
        before, after = (
            {_text(run.verdict, name) for run in side} for side in (comparison.baseline, comparison.candidate)
        )
        if before != after:
            sides = f"{', '.join(sorted(before))} against {', '.join(sorted(after))}"
            yield Claim(f"The sides differ in their {name}: {sides}.", (Link("runs", "#scope"),))
    old, new = ([run.verdict.began or "" for run in side] for side in (comparison.baseline, comparison.candidate))
    if comparison.waits and (max(old) < min(new) or max(new) < min(old)):
        yield Claim(
            "The sides were not run by turns: if the machine was busier during one, that looks like a slower side.",
            (Link("when each began", "#scope"),),
        )


def _text(verdict: Verdict, name: str) -> str:
    return str(getattr(verdict, name))


def _outcome(judged: Judged | None) -> str:
    if judged is None:
        return "not judged"
    share = f" in {judged.failed_in} of {judged.runs} runs" if judged.failed_in and judged.runs > 1 else ""
    return WORDS[judged.outcome] + share


def _times(judged: Judged | None) -> str:
    return f"{judged.exercised:,}" if judged else "-"


def _seen(row: Row) -> str:
    finding = row.after.finding if row.after else None
    return f"{finding.message}; expected {finding.expected}, seen {finding.actual}" if finding else row.statement


def _bounded(quantile: Quantile) -> str:
    low, high = ("?" if bound is None else f"{bound:.3g}" for bound in (quantile.low, quantile.high))
    return f"{quantile.value:.3g} [{low}, {high}]"

"""The verdict for a terminal: what an engineer sees at the end of a command.

All data goes through `visible` and into `rich.text.Text`, which knows no markup, so that nothing a target says can
move the cursor, change a colour or hide a line.
"""

import io
import re
import shlex
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.catalogue import Level
from conformance.verdict import Finding, Met, Outcome, RequirementVerdict, Verdict, Witness
from reports.outline import FamilyVerdict, by_reason, families, setting, violated, warnings
from reports.phrases import WORDS, caption, duration, measured, narrowed, objective, occurrences, plural, why
from reports.visible import block, one_line

NARROWEST = 80
"""Columns that a report gets at least: below that its tables are no help."""

_SHOWN = 3
_NAME = 80
_SENTENCE = 400
_TRACE = 4_000
_ALIGNED = 48
_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.NOT_APPLICABLE: "dim",
}
_MET = {Met.MET: "green", Met.VIOLATED: "bold red", Met.UNDECIDED: "bold yellow"}
_TRAILING = re.compile(r"(?: |\x1b\[[0-9;]*m)+$", re.MULTILINE)


def render(verdict: Verdict, *, width: int, colour: bool) -> str:
    """Render a verdict as text of at most `width` columns (80 at least), with ANSI colours or without any escape."""
    output = io.StringIO()
    console = Console(
        file=output,
        width=max(width, NARROWEST),
        color_system="standard" if colour else None,
        force_terminal=colour,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    # As one group: printed alone, a text would lose its own rules for wrapping.
    console.print(Group(*_parts(verdict, console.width)))
    return _TRAILING.sub(lambda end: end[0].replace(" ", ""), output.getvalue())


def _parts(verdict: Verdict, width: int) -> Iterable[RenderableType]:
    yield _headline(verdict)
    yield Text(" ".join(one_line(sentence, limit=_SENTENCE) for sentence in why(verdict)))
    yield ""
    yield from _table(families(verdict))
    yield from _undecided(verdict)
    yield from _objectives(verdict)
    yield from _measurements(verdict)
    for requirement in violated(verdict):
        yield ""
        yield from _violation(requirement, verdict.repeat, width)
    yield from _notes("Warnings", warnings(verdict))
    yield from _notes("Errors in the kit itself", verdict.harness_errors)


def _headline(verdict: Verdict) -> Text:
    facts = [one_line(verdict.target, limit=_NAME)]
    if verdict.dialect:
        facts.append(one_line(verdict.dialect, limit=_NAME))
    if verdict.duration_ms is not None:
        facts.append(duration(verdict.duration_ms))
    facts.append(plural(verdict.events, "event"))
    if verdict.seed is not None:
        facts.append(f"seed {verdict.seed}")
    return Text.assemble((WORDS[verdict.verdict], _STYLES[verdict.verdict]), "  ", "  ".join(facts), overflow="fold")


def _table(all_families: list[FamilyVerdict]) -> Iterable[RenderableType]:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    table.add_column("Family", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for heading in ("Pass", "Fail", "Unknown", "N/A", "Exercised"):
        table.add_column(heading, justify="right", no_wrap=True)
    for family in all_families:
        if family.applies:
            table.add_row(
                Text(one_line(family.id, limit=_NAME)),
                Text(family.title),
                _count(family.passed, ""),
                _count(family.failed, _STYLES[Outcome.FAIL]),
                _count(family.unknown, "yellow"),
                _count(family.not_applicable, "dim"),
                _count(family.exercised, ""),
            )
    if table.row_count:
        yield table
    absent = [family for family in all_families if not family.applies]
    if absent:
        ids = ", ".join(one_line(family.id, limit=_NAME) for family in absent)
        count = sum(len(family.requirements) for family in absent)
        reasons = by_reason(requirement for family in absent for requirement in family.requirements)
        reason = f": {one_line(next(iter(reasons)), limit=_SENTENCE)}" if len(reasons) == 1 else ""
        yield Text(f"{ids}  not applicable ({count}){reason}", style="dim", no_wrap=True, overflow="ellipsis")


def _count(count: int, style: str) -> Text:
    return Text(f"{count:,}", style=style) if count else Text("-", style="dim")


def _undecided(verdict: Verdict) -> Iterable[RenderableType]:
    open_musts = [
        requirement
        for family in families(verdict)
        for requirement in family.requirements
        if requirement.level is Level.MUST and requirement.verdict is Outcome.UNKNOWN
    ]
    if open_musts:
        yield ""
        yield Text(f"Unknown ({len(open_musts)} MUST)", style="bold")
        for reason, ids in by_reason(open_musts).items():
            text = f"{one_line(reason, limit=_SENTENCE)}: {', '.join(one_line(id, limit=_NAME) for id in ids)}"
            yield _indented(Text(text, overflow="fold"), 2)


def _objectives(verdict: Verdict) -> Iterable[RenderableType]:
    if verdict.objectives:
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(5):
            table.add_column(overflow="fold")
        for judged in verdict.objectives:
            words = [Text(one_line(text, limit=_SENTENCE)) for text in objective(judged)]
            table.add_row(Text(judged.verdict.value, style=_MET[judged.verdict]), *words)
        yield ""
        yield Text("Objectives, at 95 % confidence", style="bold")
        yield _indented(table, 2)


def _measurements(verdict: Verdict) -> Iterable[RenderableType]:
    if verdict.measurements:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(overflow="fold")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(style="dim", no_wrap=True)
        for measurement in verdict.measurements:
            value = Text(one_line(measured(measurement), limit=_NAME))
            samples = Text(f"over {measurement.samples:,} samples")
            table.add_row(Text(one_line(measurement.name, limit=_NAME)), value, samples)
        yield ""
        yield Text("Measured", style="bold")
        yield _indented(table, 2)


def _violation(requirement: RequirementVerdict, repeat: str | None, width: int) -> Iterable[RenderableType]:
    id = one_line(requirement.id, limit=_NAME)
    header = Table.grid(padding=(0, 2, 0, 0))
    header.add_column(no_wrap=True)
    header.add_column(overflow="fold")
    header.add_row(
        Text.assemble(("FAIL", _STYLES[Outcome.FAIL]), f" {id} {requirement.level}"),
        Text(one_line(requirement.statement, limit=_SENTENCE), style="bold"),
    )
    yield header
    shown = requirement.findings[:_SHOWN]
    more = f", {len(shown)} shown" if len(shown) < len(requirement.findings) else ""
    yield _indented(Text(f"{occurrences(requirement)}{more}", style="dim"), 2)
    for finding in shown:
        yield _indented(_finding(finding), 2)
    if repeat:
        yield _indented(_command(narrowed(repeat, requirement.id), width - 2), 2)


def _finding(finding: Finding) -> Group:
    place = ", ".join(f"{name} {one_line(value, limit=_NAME)}" for name, value in setting(finding))
    message = Text.assemble(one_line(finding.message, limit=_SENTENCE), (f"  ({place})" if place else "", "dim"))
    message.overflow = "fold"
    sides = Table.grid(padding=(0, 2, 0, 0))
    sides.add_column(style="dim", no_wrap=True)
    sides.add_column(overflow="fold")
    sides.add_row("expected", Text(one_line(finding.expected, limit=_SENTENCE)))
    sides.add_row("actual", Text(one_line(finding.actual, limit=_SENTENCE)))
    frames = [_indented(frame, 2) for frame in _frames(finding.witnesses)]
    return Group("", message, _indented(sides, 2), *frames)


def _frames(witnesses: tuple[Witness, ...]) -> Iterable[Text]:
    heads = [one_line(caption(witness), limit=_SENTENCE) for witness in witnesses]
    aligned = min(max((cell_len(head) for head in heads), default=0), _ALIGNED)
    for head, witness in zip(heads, witnesses, strict=True):
        gap = " " * (max(0, aligned - cell_len(head)) + 2)
        text = one_line(witness.text, limit=_SENTENCE)
        yield Text.assemble((head, "cyan"), gap, text, no_wrap=True, overflow="ellipsis")


def _command(command: str, width: int) -> Text:
    """Break a command between its words, with backslashes: what is copied still runs."""
    label = "repeat: "
    command = one_line(command, limit=_TRACE)
    try:
        words = shlex.split(command, posix=False)
    except ValueError:
        words = [command]
    lines = [label + words[0]]
    for word in words[1:]:
        if cell_len(lines[-1]) + 1 + cell_len(word) + 2 <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(" " * len(label) + word)
    return Text("\n".join(lines), overflow="fold")


def _notes(title: str, notes: Sequence[str]) -> Iterable[RenderableType]:
    if notes:
        yield ""
        yield Text(title, style="bold yellow")
        for note in notes:
            yield _indented(Text(block(note.strip(), limit=_TRACE), overflow="fold"), 2)


def _indented(renderable: RenderableType, columns: int) -> Padding:
    return Padding(renderable, (0, 0, 0, columns))

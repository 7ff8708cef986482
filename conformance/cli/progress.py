"""Live progress on stderr: one line that changes on a terminal, a line a scenario elsewhere."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from conformance.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from conformance.explore.explorer import Exploration

_EVERY_S = 5.0


class LiveProgress:
    """Shows scenario, users, events and findings as they come (`conformance.runner.Progress`). A context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._live: Live | None = None
        self._label = "starting the target"
        self._last = (0.0, 0)
        self._told_left_s: float | None = None
        self.exploration: Exploration | None = None

    def __enter__(self) -> "LiveProgress":
        if self._terminal:
            self._live = Live(Text(f"  {self._label} …"), console=Console(stderr=True), transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def scenario(self, scenario: Scenario, number: int, total: int) -> None:
        """A scenario begins."""
        self._label = f"{number:>2}/{total}  {scenario.name}: {scenario.title}"
        if self._live is not None:
            self._live.update(Text(f"  {self._label}"))
        elif not self._quiet:
            click.echo(f"  {self._label}", err=True)

    def tick(self, *, events: int, connections: int, findings: int, at_s: float) -> None:
        """Show how it goes."""
        if self._live is None:
            return
        then, before = self._last
        rate = (events - before) / (at_s - then) if at_s > then else 0.0
        self._last = (at_s, events)
        text = Text(f"  {self._label}\n")
        text.append(f"  {at_s:5.1f} s   {connections} connections   {events:,} events   {rate:,.0f} events/s   ")
        text.append(f"{findings} findings", style="bold red" if findings else "green")
        self._live.update(text)

    def exploring(self, *, examples: int, steps: int, left_s: float, shrinking: str | None) -> None:
        """Show how far the exploration has come: now and then, where there is no terminal."""
        doing = f"making {shrinking} smaller" if shrinking else f"{left_s:.0f} s left"
        self._label = f"exploring: {examples:,} examples, {steps:,} steps; {doing}"
        told = self._told_left_s
        if self._live is None and not self._quiet and (told is None or told - left_s >= _EVERY_S):
            self._told_left_s = left_s
            click.echo(f"  {self._label}", err=True)

    def explored(self, exploration: "Exploration") -> None:
        """Keep what came of it for the end of the command."""
        self.exploration = exploration

"""The pytest plugin: a target's conformance as tests, and the kit in one's own tests.

`pytest --conformance-target target.toml` adds one item for each requirement, all decided by one run of the kit. The
fixture `conformance` verifies a target or checks events within a test. Nothing of the kit is imported before it is
used.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.target import Target
    from conformance.verdict import RequirementVerdict, Verdict

_VERDICT = pytest.StashKey["Verdict"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("agent conformance")
    group.addoption(
        "--conformance-target", metavar="FILE", help="verify the target of this file: one item a requirement"
    )
    group.addoption(
        "--conformance-profile", choices=["quick", "full"], default="quick", help="how much to do (default: quick)"
    )
    group.addoption("--conformance-only", metavar="ID,FAMILY", default="", help="only these requirements")
    group.addoption("--conformance-seed", type=int, default=0, help="the seed of random choices (default: 0)")
    group.addoption("--conformance-strict", action="store_true", help="an undecided MUST or a violated SHOULD fails")
    group.addoption("--conformance-out", metavar="DIR", help="where to write the reports (default: nowhere)")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put an item for each requirement after the collected tests."""
    file = config.getoption("--conformance-target")
    if not file:
        return
    from conformance.catalogue import load
    from conformance.errors import UsageError
    from conformance.judge import SOURCE_FAMILIES
    from conformance.target import load as load_target

    try:
        target = load_target(Path(file))
        only = _names(config)
        selected = load().select(only) if only else [r for r in load() if r.family not in SOURCE_FAMILIES]
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    collector = ConformanceTarget.from_parent(session, name=Path(file).name, path=Path(file).resolve())
    collector.target = target
    items.extend(
        RequirementItem.from_parent(collector, name=requirement.id, requirement=requirement.id)
        for requirement in selected
    )


def _names(config: pytest.Config) -> tuple[str, ...]:
    return tuple(name.strip() for name in config.getoption("--conformance-only").split(",") if name.strip())


class ConformanceTarget(pytest.Collector):
    """A target file; its run of the kit is made once, when the first of its items needs it."""

    target: Target

    def collect(self) -> Iterable[pytest.Item]:
        """Return nothing: the items are made by the plugin."""
        return []

    def verdict(self) -> Verdict:
        """Return the verdict on the target."""
        if _VERDICT not in self.stash:
            config = self.config
            self.stash[_VERDICT] = _verify(
                self.target,
                profile=config.getoption("--conformance-profile"),
                only=_names(config),
                seed=config.getoption("--conformance-seed"),
                out=config.getoption("--conformance-out"),
            )
        return self.stash[_VERDICT]


class RequirementItem(pytest.Item):
    """One requirement of one target. A violated SHOULD fails only with `--conformance-strict`."""

    def __init__(self, *, requirement: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.requirement = requirement

    def runtest(self) -> None:
        """Fail where the requirement is violated; skip where it could not be decided or does not apply."""
        assert isinstance(self.parent, ConformanceTarget)
        verdict = next(r for r in self.parent.verdict().requirements if r.id == self.requirement)
        strict = self.config.getoption("--conformance-strict")
        if verdict.verdict == "fail" and (strict or verdict.level == "MUST"):
            raise Violated(verdict)
        if verdict.verdict == "unknown" and strict and verdict.level == "MUST":
            pytest.fail(f"{self.requirement} could not be decided: {verdict.reason}", pytrace=False)
        if verdict.verdict != "pass":
            pytest.skip(f"{verdict.verdict.replace('_', ' ')}: {verdict.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Show the findings instead of a traceback."""
        if isinstance(excinfo.value, Violated):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return how pytest names the item."""
        return self.path, None, f"conformance: {self.requirement}"


class Violated(AssertionError):
    """Requirements that are violated; the message shows the findings."""

    def __init__(self, *verdicts: RequirementVerdict) -> None:
        self.verdicts = verdicts
        super().__init__("\n\n".join(describe(verdict) for verdict in verdicts))


def describe(verdict: RequirementVerdict) -> str:
    """Return a violated requirement and its findings as text."""
    lines = [f"{verdict.id} {verdict.level}: {verdict.statement}"]
    for finding in verdict.findings[:3]:
        lines += [f"  {finding.message}", f"    expected: {finding.expected}", f"    seen:     {finding.actual}"]
        lines += [f"    {w.at_ms:10.1f} ms  conn {w.conn}  {w.what}  {w.text[:200]}" for w in finding.witnesses]
    if verdict.violations > len(verdict.findings[:3]):
        lines.append(f"  … {verdict.violations} violations in all")
    return "\n".join(lines)


def _verify(target: Target, *, profile: str, only: Iterable[str], seed: int, out: str | None) -> Verdict:
    from conformance.runner import Options, verify
    from conformance.scenarios.scenario import Profile

    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        directory = Path(out) if out else Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        options = Options(out=directory, profile=Profile(profile), seed=seed, only=tuple(only))
        with ThreadPoolExecutor(1) as thread:  # a test may have an event loop of its own
            verdict = thread.submit(lambda: asyncio.run(verify(target, options))).result()
        if out:
            (directory / "verdict.json").write_bytes(verdict.to_json())
        return verdict


class Conformance:
    """The kit within a test: the fixture `conformance`."""

    def verify(
        self, target: str | Path | Target, *, only: Iterable[str] = (), profile: str = "quick", seed: int = 0
    ) -> Verdict:
        """Verify a target (or the target file of that name); raise `Violated` where a MUST is violated."""
        from conformance.target import load

        loaded = load(Path(target)) if isinstance(target, str | Path) else target
        return self.must_hold(_verify(loaded, profile=profile, only=only, seed=seed, out=None))

    def check(self, events: Iterable[str | bytes | dict[str, Any]], *, dialect: str = "five-events") -> Verdict:
        """Check the frames that one connection received, in order; raise `Violated` where a MUST is violated."""
        import io

        import msgspec

        from conformance.catalogue import load
        from conformance.recording import judge_frames

        lines = [
            event
            if isinstance(event, bytes)
            else event.encode()
            if isinstance(event, str)
            else msgspec.json.encode(event)
            for event in events
        ]
        recording = io.BytesIO(b"\n".join(line.replace(b"\n", b" ") for line in lines))
        return self.must_hold(judge_frames(recording, name="events", dialect=dialect, catalogue=load()))

    @staticmethod
    def must_hold(verdict: Verdict) -> Verdict:
        """Return the verdict; raise `Violated` where it holds a violated MUST."""
        violated = [r for r in verdict.requirements if r.verdict == "fail" and r.level == "MUST"]
        if violated:
            raise Violated(*violated)
        return verdict


@pytest.fixture(scope="session")
def conformance() -> Conformance:
    """Return the kit: `conformance.verify(target)` and `conformance.check(events)`."""
    return Conformance()

"""The replay of a scenario file: steps that the explorer found, or that somebody wrote."""

from pathlib import Path

from conformance.explore.performer import NotLetIn, Performer
from conformance.explore.scenario_file import read
from conformance.scenarios.scenario import Disturbed, Scenario, Stage


def replay(path: Path) -> Scenario:
    """Return a scenario that takes the steps of a file. Raises `UsageError` where that is none."""
    file = read(path)

    async def drive(stage: Stage) -> None:
        performer = Performer(
            stage.wire,
            scenario=stage.scenario,
            new_user=stage.user,
            capabilities=stage.capabilities,
            message_bytes=lambda: stage.announced().message_bytes,
        )
        try:
            await performer.perform(file.steps)
        except NotLetIn as error:
            raise Disturbed(str(error)) from error

    return Scenario(path.stem, file.title or "the steps of a file", file.violates, (), drive)

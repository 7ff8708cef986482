"""The replay of a scenario file: steps that the explorer found, or that somebody wrote."""

from pathlib import Path

from conformance.explore.performer import NotLetIn, Performer
from conformance.explore.scenario_file import read
from conformance.scenarios.scenario import Disturbed, Scenario, Stage

_REPLAYS = 5


def replay(path: Path) -> Scenario:
    """Return a scenario that takes the steps of a file. Raises `UsageError` where that is none.

    What depends on timing does not show each time: where the file says what it violates, its steps are taken until
    that was seen, up to five times, by fresh users each time (once, where the target file names all users).
    """
    file = read(path)

    async def drive(stage: Stage) -> None:
        fresh = stage.wire.auth.users is None
        for _ in range(_REPLAYS if file.violates and fresh else 1):
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
            if stage.violated().issuperset(file.violates):
                break

    return Scenario(path.stem, file.title or "the steps of a file", file.violates, (), drive)

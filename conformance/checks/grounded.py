"""What the checks of ground truth have in common."""

from typing import Any

from conformance.checks.check import Unconcerned
from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.story import Story


class Grounded(Unconcerned):
    """A check that holds what was told against what the witness recorded; idle where there is no witness."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ground = self.world.ground
        self.witnessed = self.ground.witnessed

    def screen(self, told: Stretch) -> bool:
        """Where there is a witness, what runs say is looked at run by run."""
        return not self.witnessed

    def late_us(self, since: int, until: int) -> int:
        """Return for how long the kit was late between two times (µs), or about then: so late may be what it saw."""
        return self.world.lags.about(since, until)


def wholly_told(story: Story) -> bool:
    """Tell whether every event of a run has come, from its start to its end."""
    first, terminal = story.first, story.terminal
    return first is not None and first.event.kind is Kind.STARTED and terminal is not None and not story.missing

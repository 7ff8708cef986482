"""What the machine draws: the same for the same seed, and nothing that refers to what cannot be there."""

from contextlib import suppress
from pathlib import Path
from random import Random

from conformance.dialects import named
from conformance.explore import steps as do
from conformance.explore.machine import USERS, Range, draw
from conformance.explore.scenario_file import ScenarioFile, parse, write
from conformance.explore.steps import Steps

EVERYTHING = frozenset({"websocket", "resume", "stop", "threads", "idempotency", "run_access", "multi_connection"})


class EnoughDrawn(KeyboardInterrupt):
    """So many examples were wanted."""


def drawn(number: int, out: Path, *, capabilities: frozenset[str] = EVERYTHING, wanted: int = 60) -> list[Steps]:
    examples: list[Steps] = []

    def perform(steps: Steps) -> None:
        examples.append(steps)
        if len(examples) == wanted:
            raise EnoughDrawn

    within = Range(named("five-events"), capabilities, tells_users=True, knows_limit=True)
    numbers = Random(number)
    with suppress(EnoughDrawn):
        while True:
            draw(within, perform, number=numbers.getrandbits(32), database=out / "examples")
    return examples


def test_a_seed_repeats_what_is_drawn(tmp_path: Path) -> None:
    first, again, other = (drawn(number, tmp_path / str(n)) for n, number in enumerate((5, 5, 6)))
    assert first == again
    assert first != other


def test_steps_refer_to_what_was_there_before(tmp_path: Path) -> None:
    for steps in drawn(1, tmp_path):
        runs = dict.fromkeys(USERS, 0)
        for step in steps:
            if isinstance(step, do.Start):
                runs[step.user] += 1
            elif isinstance(step, do.Await | do.Resume | do.Read | do.Stop | do.Repeat):
                assert step.back < runs[step.user]
            elif isinstance(step, do.Trespass):
                assert step.back < runs[step.of]
                assert step.of != step.user


def test_every_kind_of_step_is_drawn_and_can_be_written_down(tmp_path: Path) -> None:
    examples = drawn(2, tmp_path, wanted=200)
    kinds = {type(step) for steps in examples for step in steps}
    assert kinds == set(do.AnyStep.__args__)
    for steps in examples:
        assert parse(write(ScenarioFile(steps=steps)), path="drawn.toml").steps == steps


def test_what_the_target_cannot_do_is_not_drawn(tmp_path: Path) -> None:
    examples = drawn(3, tmp_path, capabilities=frozenset())
    kinds = {type(step) for steps in examples for step in steps}
    assert kinds.isdisjoint({do.Resume, do.Stop, do.Repeat, do.Read, do.Trespass})
    assert not any("hang" in str(step) for steps in examples for step in steps)

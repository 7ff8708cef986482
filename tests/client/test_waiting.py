"""How the kit's client waits: in vain, and while the kit itself is late."""

from collections.abc import Callable
from random import Random

from conformance.auth import NoAuth
from conformance.bounds import Bounds
from conformance.client import Client, Wire
from conformance.dialects import named
from conformance.history import operations as ops
from conformance.history.operations import Awaited, Operation
from conformance.history.recorder import Clock, Recorder


async def given_up(late_us: Callable[[Clock, int], float]) -> ops.GaveUp:
    """What is recorded of a wait of 20 ms in vain, where the kit was late by so much since the wait began."""
    tape: list[Operation] = []
    clock = Clock()
    recorder = Recorder(clock, [tape.append])
    wire = Wire(
        "ws://x", named("five-events"), NoAuth(), recorder, Bounds(), Random(1), lambda since: late_us(clock, since)
    )
    assert not await Client(wire, "ann").wait(lambda: False, Awaited.TERMINAL, due_ms=20, share=0)
    (operation,) = tape
    assert isinstance(operation, ops.GaveUp)
    return operation


async def test_a_wait_in_vain_is_evidence() -> None:
    given = await given_up(lambda clock, since: 0)
    assert given.waited_ms >= 20
    assert not given.late


async def test_a_wait_goes_on_for_as_long_as_the_kit_was_late_and_is_evidence_then() -> None:
    given = await given_up(lambda clock, since: 300_000)
    assert given.waited_ms >= 300
    assert not given.late


async def test_a_wait_that_the_kit_is_late_in_all_the_time_is_none() -> None:
    given = await given_up(lambda clock, since: clock.now() - since)
    assert given.waited_ms >= 100
    assert given.late


async def test_what_comes_while_the_wait_goes_on_has_come() -> None:
    tape: list[Operation] = []
    looks: list[float] = []

    def late_us(since: int) -> float:
        looks.append(since)
        return 10_000_000.0

    recorder = Recorder(Clock(), [tape.append])
    wire = Wire("ws://x", named("five-events"), NoAuth(), recorder, Bounds(), Random(1), late_us)
    assert await Client(wire, "ann").wait(lambda: bool(looks), Awaited.TERMINAL, due_ms=20, share=0)
    assert tape == []

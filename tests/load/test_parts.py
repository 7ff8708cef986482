"""Shapes, clocks, behaviours, and what is shown while a load goes."""

import pytest

from conformance.errors import UsageError
from load import shapes
from load.behaviours import BEHAVIOURS, mixed
from load.clocks import Offset
from load.live import Live, Snapshot


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_a_shape_is_a_share_and_reaches_the_whole(name: str) -> None:
    shape = shapes.named(name)
    levels = [shape(at / 100) for at in range(100)]
    assert all(0 <= level <= 1 for level in levels)
    assert max(levels) == 1


def test_steps_go_up_and_a_spike_comes_down_again() -> None:
    assert [shapes.step(at) for at in (0.0, 0.25, 0.99)] == [0.2, 0.4, 1.0]
    assert [shapes.spike(at) for at in (0.1, 0.5, 0.9)] == [0.2, 1.0, 0.2]


def test_there_is_no_such_shape() -> None:
    with pytest.raises(UsageError, match="expected one of step, ramp, spike, soak"):
        shapes.named("zigzag")


def test_the_quickest_greeting_tells_most_of_the_clock() -> None:
    offset = Offset()
    assert offset.error_us(0) is None
    assert not offset.trusted
    offset.learn(sent=0, told=1_010_000, came=20_000)
    offset.learn(sent=100_000, told=1_180_000, came=160_000)
    assert offset.us == 1_000_000
    assert offset.error_us(20_000) == 10_000.0


def test_what_is_known_of_a_clock_ages() -> None:
    hour = 3_600_000_000
    offset = Offset()
    offset.learn(sent=0, told=1_010_000, came=20_000)
    assert offset.error_us(20_000 + hour) == pytest.approx(10_000 + 54_000)
    offset.learn(sent=hour, told=1_320_000 + hour, came=60_000 + hour)
    assert offset.us == 1_290_000
    assert offset.error_us(60_000 + hour) == pytest.approx(64_000, rel=1e-3)  # so far off was the last before


def test_a_clock_is_trusted_once_it_is_known_well_enough() -> None:
    offset = Offset(enough_us=50_000)
    known = []
    for sent, came in ((0, 400_000), (500_000, 504_000)):
        offset.learn(sent=sent, told=1_000_000 + sent, came=came)
        known.append((offset.trusted, offset.error_us(came)))
    assert known == [(False, 200_000), (True, 2_000)]


def test_the_same_clock_is_not_learnt() -> None:
    offset = Offset(exact=True)
    offset.learn(sent=0, told=5_000, came=10)
    assert offset.trusted
    assert (offset.us, offset.error_us(3_600_000_000)) == (0, 0)


def test_what_a_target_cannot_do_is_not_done() -> None:
    names = {each.name for each, _ in mixed({}, frozenset())}
    assert names == BEHAVIOURS.keys() - {"reconnect"}
    assert {each.name for each, _ in mixed({}, frozenset({"resume"}))} == BEHAVIOURS.keys()


def test_a_mix_names_all_that_is_done() -> None:
    assert [(each.name, weight) for each, weight in mixed({"chat": 2.0}, frozenset())] == [("chat", 2.0)]
    with pytest.raises(UsageError, match="no such behaviour"):
        mixed({"chatt": 1.0}, frozenset())
    with pytest.raises(UsageError, match="no behaviour is left"):
        mixed({"reconnect": 1.0}, frozenset())


def test_prometheus_sums_up_all_workers() -> None:
    live = Live()
    live.worker("a", Snapshot(events=3, violations={"DLV-04": 1}, delivery={"TEXT": {2_000: 3}}))
    live.worker("b", Snapshot(events=4, violations={"DLV-04": 2}, delivery={"TEXT": {4_000: 1}}))
    told = live.prometheus().splitlines()
    assert "agent_conformance_events_total 7" in told
    assert 'agent_conformance_violations_total{requirement="DLV-04"} 3' in told
    assert 'agent_conformance_delivery_seconds{event="text",quantile="0.5"} 0.002000' in told
    assert 'agent_conformance_delivery_seconds_count{event="text"} 4' in told

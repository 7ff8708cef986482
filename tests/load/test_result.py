"""What several generators saw is what one would have seen."""

from collections.abc import Iterable
from io import BytesIO

import msgspec

from benchmarks.history import Generator
from conformance.catalogue import load
from conformance.dialects import named
from conformance.history.store import HistoryReader
from conformance.verdict import Block, Distribution, Outcome
from load.memory import Memory
from load.result import Report, located, merge, within
from load.sketch import Sketch
from load.stream import Stream
from tests.load.wholes import report
from tests.reports.report_verdicts import sample


def recording() -> bytes:
    return b"".join(Generator(events=3_000, together=20, lengths=(5, 20, 100)).lines())


def seen_by(workers: int) -> list[Report]:
    """Have as many generators see a recording, each some of its connections."""
    return [_seen(worker, workers) for worker in range(workers)]


def _seen(worker: int, workers: int) -> Report:
    reader = HistoryReader(BytesIO(recording_once), name="recording")
    stream = Stream(reader.header, named("five-events"), load(), memory=Memory(1 << 20), seen=lambda: None)
    for operation in reader:
        if getattr(operation, "conn", worker) % workers == worker:
            stream.record(operation)
        if stream.waiting > 500:
            stream.flush()
    stream.finish()
    verdict = stream.judge.verdict()
    made = report(worker=worker)
    return msgspec.structs.replace(
        made,
        began_us=reader.header.began_us,
        verdict=verdict,
        shares={name: counts for check in stream.judge.checks for name, counts in check.shares.items()},
        sketches=[(*key, dict(sketch.counts)) for key, sketch in stream.measure.settled().items()],
        seconds={
            at: (each.asked, each.ended, each.events, dict(each.delivery.counts))
            for at, each in stream.measure.seconds.items()
        },
    )


recording_once = recording()


def encoded(reports: Iterable[Report]) -> dict[tuple[str, str, str], str]:
    return {key: sketch.encoded() for key, sketch in merge(list(reports)).sketches.items()}


def test_a_recording_gives_the_same_histograms_in_one_process_and_in_two_workers() -> None:
    one, two = seen_by(1), seen_by(2)
    assert len(encoded(one)) > 5
    assert encoded(one) == encoded(two)
    alone, together = merge(one), merge(two)
    assert alone.seconds == together.seconds
    assert alone.shares == together.shares
    assert alone.verdict.distributions
    assert alone.verdict.distributions == together.verdict.distributions
    assert alone.verdict.events == together.verdict.events
    assert alone.verdict.verdict is together.verdict.verdict is Outcome.PASS
    outcomes = [{r.id: r.verdict for r in each.verdict.requirements} for each in (alone, together)]
    assert outcomes[0] == outcomes[1]


def test_a_report_survives_the_way_to_the_master() -> None:
    sent = seen_by(1)[0]
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Report) == sent


def test_seconds_are_those_of_the_wall() -> None:
    both = merge([report(worker=0), report(worker=1)])
    assert {at: told[2] for at, told in both.seconds.items()} == {0: 5_000, 1: 5_000}


def test_latencies_are_added_up() -> None:
    both = merge([report(worker=0, slow=10), report(worker=1, slow=5)])
    assert both.sketch("delivery").over(500_000) == 15
    assert both.outcomes == {("chat", None): 2_000}
    assert both.lateness.counts == Sketch({1_000: 200}).counts


def test_findings_point_to_the_folder_that_their_samples_are_in() -> None:
    found = within(sample(), "rate-10")
    assert {(finding.location or "").partition("/")[0] for finding in found.findings} == {"rate-10"}
    assert [finding.location is None for finding in within(located(sample(), {}), "rate-10").findings] == [True] * len(
        found.findings
    )


def test_distributions_are_added_up_second_by_second_and_in_the_longest_blocks() -> None:
    def told(worker: int, block_s: int, *blocks: Block) -> Report:
        made = report(worker=worker)
        waits = Distribution("delivery latency", block_s, blocks)
        return msgspec.structs.replace(made, verdict=msgspec.structs.replace(made.verdict, distributions=(waits,)))

    one, later = told(0, 1, Block(0, {200: 1}), Block(1, {100: 2})), told(1, 1, Block(0, {100: 3, 50: 1}))
    (added,) = merge([one, later]).verdict.distributions
    assert added == Distribution("delivery latency", 1, (Block(0, {200: 1}), Block(1, {50: 1, 100: 5})))
    (longer,) = merge([one, told(1, 2, Block(0, {300: 1}))]).verdict.distributions
    assert longer == Distribution("delivery latency", 2, (Block(0, {100: 2, 200: 1, 300: 1}),))

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from conformance.verdict import Finding, Verdict
from reports import html
from reports.scene import scenes
from reports.timeline import Drawing, Lane, Mark, Timeline, blamed, is_absence, unlabel
from tests.reports.histories import OTHER, OWNER, judged, leaking
from tests.reports.report_verdicts import HOSTILE, LONG
from tests.reports.test_report_html import Page


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def drawn(verdict: Verdict, history: Path | None, id: str) -> Timeline:
    return Drawing(scenes(verdict, history)[id]).timeline()


def kinds(timeline: Timeline) -> list[str]:
    return [lane.kind for lane in timeline.lanes]


def lane_of(timeline: Timeline, kind: str) -> Lane:
    return next(lane for lane in timeline.lanes if lane.kind == kind)


def pointed(verdict: Verdict, location: str) -> Verdict:
    return replace(
        verdict,
        requirements=tuple(
            replace(r, findings=tuple(replace(f, location=location) for f in r.findings)) for r in verdict.requirements
        ),
    )


def finding_of(verdict: Verdict, id: str) -> Finding:
    return next(finding for finding in verdict.findings if finding.requirement == id)


def test_the_frame_that_reached_the_wrong_user_is_marked_in_their_lane(history: Path) -> None:
    verdict = judged(leaking(), history)
    timeline = drawn(verdict, history, "ISO-01")
    marked = [(lane.label, mark.label) for lane in timeline.lanes for mark in lane.marks if mark.blamed]
    assert marked == [("User B", "completed")]
    proof = blamed(finding_of(verdict, "ISO-01"))
    assert proof is not None
    assert (proof.user, proof.conn) == (OTHER, 2)
    assert [lane.bars[0].title for lane in timeline.lanes[:2]] == [
        f"connection 1 of {OWNER}",
        f"connection 2 of {OTHER}",
    ]
    assert len(timeline.links) == 1


def test_the_frame_that_proves_it_has_its_label_where_another_stands_in_its_way() -> None:
    drawing = Lane(0, "User B", "", "connection")
    drawing.marks += [Mark(100.0, "received", "", "thinking"), Mark(200.0, "received", "", "tool started")]
    unlabel(drawing)
    assert [mark.label for mark in drawing.marks] == ["thinking", ""]
    assert 100 < drawing.labelled_to < 200
    unlabel(drawing)
    assert drawing.labelled_to == 0


def test_findings_may_have_histories_of_their_own_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    verdict = judged(leaking(), folder / "history.jsonl")
    assert kinds(drawn(verdict, folder, "ISO-01"))[-4:] == ["run", "tool", "call", "fault"]
    (folder / "history.jsonl").rename(tmp_path / "history.jsonl")
    outside = pointed(verdict, "../history.jsonl:2")
    assert kinds(drawn(outside, folder, "ISO-01")) == kinds(drawn(outside, None, "ISO-01"))


@pytest.mark.parametrize(
    ("left_out", "label"), [((), ""), (("tool_started",), "no start told"), (("started", "tool_started"), "")]
)
def test_a_start_is_missed_only_where_that_of_the_run_was_seen(
    history: Path, left_out: tuple[str, ...], label: str
) -> None:
    scene = scenes(judged(leaking(), history), history)["ISO-01"]
    begun = next(moment for moment in scene.moments if moment.what == "tool_started")
    done = dataclasses.replace(begun, what="tool_completed", at_ms=begun.at_ms + 50, until_ms=begun.at_ms + 50)
    scene.moments = [moment for moment in (*scene.moments, done) if moment.what not in left_out]
    assert [bar.label for bar in lane_of(Drawing(scene).timeline(), "tool").bars] == [label]


def test_the_lanes_hold_run_tools_model_calls_and_faults(history: Path) -> None:
    timeline = drawn(judged(leaking(), history), history, "ISO-01")
    assert kinds(timeline)[-4:] == ["run", "tool", "call", "fault"]
    assert lane_of(timeline, "tool").bars[0].label == "no completion told"
    assert lane_of(timeline, "fault").bars[0].label == "delay"
    assert len(lane_of(timeline, "run").marks) == 5


def test_what_did_not_come_is_shown_where_it_is_missing(history: Path) -> None:
    verdict = judged(leaking(), history)
    assert is_absence(finding_of(verdict, "EVT-05"))
    run = lane_of(drawn(verdict, history, "EVT-05"), "run")
    assert [(mark.kind, mark.label) for mark in run.marks if mark.kind == "absent"] == [("absent", "missing")]
    assert not is_absence(finding_of(verdict, "ISO-01"))


def test_without_a_history_the_witnesses_alone_are_drawn(history: Path) -> None:
    timeline = drawn(judged(leaking(), history), None, "ISO-01")
    assert kinds(timeline) == ["conn user-A", "conn user-B"]
    assert [mark.number for lane in timeline.lanes for mark in lane.marks] == [1, 2]


@pytest.mark.parametrize("evil", [HOSTILE, LONG, "</svg></title><script>alert(1)</script>\u202e\x00"])
def test_hostile_frames_are_drawn_as_data(history: Path, evil: str) -> None:
    text = html.render(judged(leaking(evil), history), history)
    page = Page(text)
    assert len(page.of("script")) == 1
    assert {c for c in text if not c.isprintable()} == {"\n"}
    assert len(text) < 400_000


def test_many_events_do_not_make_a_large_drawing(history: Path) -> None:
    lines = leaking().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"fault_ended"' in line)
    odd = [lines[at - 4].replace(b'"seq": 2', b'"seq": %d' % n) for n in range(3_000)]
    verdict = judged(b"".join([*lines[:at], *odd, *lines[at:]]), history)
    scene = scenes(verdict, history)["ISO-01"]
    assert scene.left_out > 2_000
    assert {moment.line for moment in scene.moments} >= scene.witnessed
    assert len(html.render(verdict, history)) < 1_500_000


def test_a_frame_is_shown_longer_than_the_verdict_keeps_it(history: Path) -> None:
    verdict = judged(leaking("x" * 900), history)
    kept = blamed(finding_of(verdict, "ISO-01"))
    assert kept is not None
    assert "x" * 900 not in kept.text
    assert any("x" * 900 in text for text in Page(html.render(verdict, history)).within("pre"))


def test_a_history_that_ends_in_the_middle_of_a_line_is_read_as_far_as_it_goes(history: Path) -> None:
    whole = leaking()
    verdict = judged(whole, history)
    history.write_bytes(whole[:-9])
    assert drawn(verdict, history, "ISO-01").lanes

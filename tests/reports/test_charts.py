"""What is drawn of figures over time."""

from msgspec.structs import replace

from conformance.verdict import Block, Distribution, Series
from reports.charts import HEIGHT, charts, course, courses
from tests.reports.report_verdicts import loaded, passing


def points(piece: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in piece.split())]


def test_a_line_is_broken_where_there_is_no_value_and_one_alone_is_a_dot() -> None:
    (curve,) = course([Series("p95", "ms", (5.0, 10.0, None, 2.5, None))]).curves
    first, alone = map(points, curve.pieces)
    assert len(first) == 2
    assert alone[0] == alone[1]
    assert first[1][1] < first[0][1] < alone[0][1] < HEIGHT
    assert first[0][0] < first[1][0] < alone[0][0]


def test_series_of_a_unit_share_a_chart_and_its_scale() -> None:
    offered, p95 = courses(
        replace(
            passing(),
            series=(
                Series("offered", "runs/s", (10.0, 10.0)),
                Series("ended", "runs/s", (5.0, 10.0)),
                Series("p95", "ms", (1.0, 1.0)),
            ),
        )
    )
    assert [curve.name for curve in offered.curves] == ["offered 10", "ended 10"]
    assert points(offered.curves[0].pieces[0])[1] == points(offered.curves[1].pieces[0])[1]
    assert (p95.title, p95.curves[0].name) == ("ms", "p95 1")


def test_a_long_course_is_drawn_by_the_highest_of_each_stretch() -> None:
    values = [1.0] * 14_400
    values[7_001] = 50.0
    drawn = course([Series("p99", "ms", tuple(values))])
    heights = [y for _, y in points(drawn.curves[0].pieces[0])]
    assert len(heights) < 300
    assert heights.count(min(heights)) == 1
    assert drawn.curves[0].name == "p99 50"


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    assert course([Series("p99", "ms", ())]).curves[0].pieces == ()
    assert course([Series("p99", "ms", (None, None))]).curves[0].pieces == ()


def test_delivery_over_time_is_told_once() -> None:
    waits = (Distribution("delivery latency", 1, (Block(0, {1_000: 3}), Block(1, {2_000: 3}))),)
    titles = [[drawn.title for drawn in charts(replace(each, distributions=waits))] for each in (passing(), loaded())]
    assert titles == [["delivery latency", "delivery over time"], ["delivery latency"]]

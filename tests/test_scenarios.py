"""The order in which scenarios are played."""

from conformance.scenarios import all_scenarios


def test_the_golden_path_comes_first_and_what_takes_long_comes_last() -> None:
    first, *rest = all_scenarios()
    assert first.name == "golden-path"
    in_the_way = [scenario.long for scenario in rest if not scenario.background]
    assert in_the_way == sorted(in_the_way)
    assert any(in_the_way)

"""What is remembered, in bounded memory."""

import pytest

from conformance.recent import Recent, RecentSet


@pytest.mark.parametrize("keep", [1, 2, 3, 10])
def test_the_newest_are_remembered_and_never_more_than_twice_as_many(keep: int) -> None:
    recent: Recent[int, int] = Recent(keep)
    for number in range(100):
        recent.add(number, -number)
        assert all(recent.get(i) == -i for i in range(max(0, number - keep + 1), number + 1))
        assert len(recent) <= 2 * keep
    assert recent.get(0) is None


def test_what_was_never_added() -> None:
    recent: Recent[str, int] = Recent(3)
    assert recent.get("x") is None
    assert recent.any_of(["x"]) == []
    assert len(recent) == 0


def test_values_that_are_false_are_remembered() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.add("zero", 0)
    recent.add("one", 1)
    assert recent.get("zero") == 0


def test_the_newer_value_counts() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.add("x", 1)
    recent.add("y", 1)
    recent.add("x", 2)
    assert recent.get("x") == 2
    assert len(recent) == 2


def test_any_of_those_that_are_remembered() -> None:
    recent: Recent[str, int] = Recent(2)
    for name in "abc":
        recent.add(name, 1)
    assert recent.any_of(["z", "c", "a"]) == ["c", "a"]


def test_what_is_forgotten_on_purpose() -> None:
    recent: Recent[str, int] = Recent(2)
    for name in "abc":
        recent.add(name, 1)
    recent.discard("a")
    recent.discard("c")
    recent.discard("never there")
    assert [recent.get(name) for name in "abc"] == [None, 1, None]


def test_many_at_once() -> None:
    recent: RecentSet[str] = RecentSet(3)
    assert recent.enter(["old"]) == []
    assert recent.enter(["a", "b", "c"]) == []
    assert recent.enter(["new", "old", "b"]) == ["old", "b"]  # three new ones: what was older is forgotten
    assert recent.enter(["c"]) == []
    assert recent.enter({"c": 6, "d": 7, "new": 8}) == ["c", "new"]
    assert recent.enter(["e", "c"]) == ["c"]

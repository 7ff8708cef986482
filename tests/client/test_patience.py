"""How long the kit waits."""

from conformance.client.patience import Patience
from conformance.history.operations import Awaited

END, ANSWER = Awaited.TERMINAL, Awaited.ANSWER


def never() -> bool:
    return False


def test_patience_is_full_until_something_was_in_vain() -> None:
    patience = Patience(5000)
    for _ in range(100):
        patience.came(3)
    allowed = patience.allowance(END, "chat", 0.5)
    assert (allowed.milliseconds, allowed.telling) == (2500, True)


def test_each_other_purpose_gets_plenty_and_the_same_again_a_moment() -> None:
    patience = Patience(5000)
    patience.came(10)
    patience.in_vain(END, "chat", never)
    other, same = patience.allowance(END, "tool", 1), patience.allowance(END, "chat", 1)
    assert (other.milliseconds, other.telling) == (625, True)
    assert (same.milliseconds, same.telling) == (100, False)


def test_another_kind_of_wait_keeps_full_patience() -> None:
    patience = Patience(5000)
    patience.in_vain(END, "chat", never)
    assert patience.allowance(ANSWER, "chat", 1).milliseconds == 5000


def test_what_is_plenty_goes_by_what_nearly_everything_takes() -> None:
    patience = Patience(5000)
    for after_ms in (*[400] * 99, 4_000):
        patience.came(after_ms)
    patience.in_vain(END, "chat", never)
    assert patience.allowance(END, "tool", 1).milliseconds == 1600
    assert patience.allowance(END, "chat", 1).milliseconds == 400


def test_where_nothing_ever_came_patience_stays_full() -> None:
    patience = Patience(5000)
    patience.in_vain(END, "chat", never)
    assert patience.allowance(END, "tool", 1).milliseconds == 5000


def test_what_comes_after_all_restores_full_patience() -> None:
    patience = Patience(5000)
    patience.came(10)
    come: list[bool] = []
    patience.in_vain(END, "chat", lambda: bool(come))
    assert not patience.allowance(END, "chat", 1).telling
    come.append(True)
    assert patience.allowance(END, "chat", 1).milliseconds == 5000


def test_a_target_that_was_started_anew_gets_full_patience() -> None:
    patience = Patience(5000)
    patience.came(10)
    patience.in_vain(END, "chat", never)
    patience.afresh()
    allowed = patience.allowance(END, "chat", 1)
    assert (allowed.milliseconds, allowed.telling) == (5000, True)

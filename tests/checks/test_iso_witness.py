"""ISO by what the witness recorded: ISO-06."""

import base64
from collections.abc import Callable

from tests.checks.examples import Build, Test, bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run, violated
from tests.checks.witnessed import Witnessed


def shown(where: str) -> Callable[[Build], Test]:
    """A user's agent was shown Alice's words, in a message of Bob's call."""
    return bad(
        "ISO-06",
        message="a user's agent was shown what another user said",
        expected="only what user-bobby said",
        actual=f"cnry~*~ of user-alice, in message {where}",
        witnesses=("model_call_began",),
    )


def two_users() -> tuple[Witnessed, Run, Run]:
    history = Witnessed()
    one, other = history.connect(ALICE).start(), history.connect(BOB).start()
    history.model(one, "Noted.")
    return history, one, other


@good("ISO-06")
def test_everybodys_agent_is_shown_their_own() -> History:
    """Also what its user said before, in this thread or another: threads of one user are ISO-04."""
    history, one, other = two_users()
    history.model(other, "Noted, too.")
    later = one.socket.start()
    history.model(later, "As you said.", f"earlier: {one.canary}")
    return history


@shown("1 of 2 (user)")
def test_a_history_that_all_share() -> History:
    history, one, other = two_users()
    history.model(other, "Noted.", f"user: {one.canary} said this")
    return history


@shown("1 of 2 (user)")
def test_in_another_encoding() -> History:
    history, one, other = two_users()
    history.model(other, "Noted.", base64.b64encode(f"attached: {one.canary}".encode()).decode())
    return history


@shown("1 of 1 (user)")
def test_a_call_that_names_its_run_and_holds_anothers_words_only() -> History:
    history, one, other = two_users()
    history.model_answers(history.model_asked(None, f"summarise: {one.canary}", run_id=other.run_id), "Done.")
    return history


@good("ISO-06")
def test_a_call_of_nobody_or_of_two_is_no_evidence() -> History:
    """What names one run and asks with another's words may be a mistake in the name."""
    history, one, other = two_users()
    history.model(other, "Noted.")
    history.model(None, "Done.", f"for all: {one.canary} {other.canary}")
    history.model_answers(history.model_asked(one, run_id=other.run_id), "Done.")
    return history


@undecided("ISO-06", reason="nothing was seen that could decide it")
def test_nobody_else_has_said_anything() -> History:
    history = Witnessed()
    run = history.connect(ALICE).start()
    history.model(run, "Noted.")
    history.connect(BOB)
    return history


def test_two_of_the_kits_users_may_be_one_to_the_target() -> None:
    """The target told both who they are, and it is the same: whose words they are is ISO-02's matter."""
    history = Witnessed(granted=("witness",))
    runs = []
    for user in (ALICE, BOB):
        socket = history.connecting(user)
        socket.connected()
        socket.greeted(user_id="the-only-user")
        run = socket.start()
        runs.append(run)
        run.started(user_id="the-only-user")
    history.model(runs[0], "Noted.")
    history.model(runs[1], "Noted.", f"earlier: {runs[0].canary}")
    assert "ISO-06" not in violated(history)

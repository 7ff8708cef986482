"""EVT by what the witness recorded: EVT-12 and EVT-16."""

from conformance.checks.evt_witness import tells
from conformance.checks.pairs import same_parameters, same_tool
from conformance.history.operations import CallEnd
from conformance.script import Script, say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run
from tests.checks.witnessed import Witnessed, told

SAID = "The answer is forty-two, as ever."
SCRIPT: Script = [tool("echo", text="x"), *say(SAID)]


def before(history: Witnessed) -> None:
    """Somebody's good run: it shows that the target is wired to the witness."""
    told(history.connect(BOB).start(SCRIPT), answer=SAID, witness=history)


def begun() -> tuple[Witnessed, Run]:
    history = Witnessed()
    before(history)
    run = history.connect(ALICE).start(SCRIPT)
    run.started()
    run.thinking()
    return history, run


# -- EVT-12 ---------------------------------------------------------------------------------------------------------


@good("EVT-12", "EVT-16")
def test_what_is_told_took_place() -> History:
    history, run = begun()
    history.model(run)
    run.tool_started()
    history.echo(run)
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_parallel_calls_of_the_same() -> History:
    """Each is paired with one call, whatever the order; one is told under a longer name, one without parameters."""
    history, run = begun()
    run.tool_started("call-1")
    run.tool_started("call-2", name="mcp__tools__echo")
    run.tool_started("call-3", parameters={})
    for call in ("call-3", "call-2", "call-1"):
        history.echo(run, call)
    run.tool_completed("call-1")
    run.tool_completed("call-2", name="mcp__tools__echo")
    run.tool_completed("call-3")
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool call is told that did not take place",
    expected="a call of echo({*call-1 cnry~*~*})",
    actual="none",
    witnesses=("tool_executing", "tool_completed"),
)
def test_a_tool_that_was_never_called() -> History:
    history, run = begun()
    history.model(run)
    run.tool_started()
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool call is told that did not take place",
    expected="a call of echo(*",
    actual="none that is left over",
    witnesses=("tool_executing", "tool_completed"),
)
def test_two_are_told_of_one_call() -> History:
    history, run = begun()
    history.model(run)
    history.echo(run)
    for call in ("call-1", "call-2"):
        run.tool_started(call, parameters={"text": f"call-1 {run.canary}"})
        run.tool_completed(call)
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool was called, and its user was not told",
    expected="the start and the completion of every call",
    actual="none for this call of echo(*)",
    witnesses=("tool_call_began", "agent_completed"),
)
def test_a_tool_that_was_called_twice() -> History:
    history, run = begun()
    run.tool_started()
    history.echo(run)
    history.echo(run)
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool was called, and its user was not told",
    expected="the start and the completion of every call",
    actual="none for this call of sleep(*)",
    witnesses=("tool_call_began", "agent_completed"),
)
def test_a_tool_that_nobody_heard_of() -> History:
    """The call holds no canary; whose it is follows from the id under which the run's model asked for it."""
    history, run = begun()
    history.model(run, calls={"call_abc": "sleep"})
    history.tool_ends(history.tool_called("sleep", {"ms": 1, "text": "x"}, tool_call_id="call_abc"))
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool call is told otherwise than it took place",
    expected="echo(*call-7 *)",
    actual="echo(*something else*)",
    witnesses=("tool_call_began", "tool_executing"),
)
def test_other_parameters_than_those_of_the_call() -> History:
    history, run = begun()
    run.tool_started("call-7", parameters={"text": "something else"})
    history.echo(run, "call-7")
    run.tool_completed("call-7")
    history.model(run, SAID)
    run.completed(SAID)
    return history


@bad(
    "EVT-12",
    message="a tool call is told otherwise than it took place",
    expected="echo(*)",
    actual="search(*)",
    witnesses=("tool_call_began", "tool_executing"),
)
def test_another_name_than_that_of_the_tool() -> History:
    """By its id it is the same call."""
    history, run = begun()
    run.tool_started("7d0c59c6-1f9e", name="search")
    history.echo(run, run_id=run.run_id, tool_call_id="7d0c59c6-1f9e")
    run.tool_completed("7d0c59c6-1f9e", name="search")
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_attempts_that_failed_or_were_given_up_need_no_events() -> History:
    """A retry within the engine: the one that came to a result is the one that is told."""
    history, run = begun()
    run.tool_started()
    arguments = {"text": f"call-1 {run.canary}"}
    history.tool_ends(history.tool_called("echo", arguments), end=CallEnd.FAILED, error="503")
    history.tool_ends(history.tool_called("echo", arguments), end=CallEnd.CLIENT_GONE)
    history.echo(run)
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_a_refusal_to_remember_is_nobodys_fault() -> History:
    """The tool refuses where a call names no thread; whatever is told of it, nothing is wrong."""
    history, run = begun()
    refusal = history.tool_called("remember", {"key": "k", "value": run.canary})
    history.tool_ends(refusal, end=CallEnd.FAILED, error="the call names no thread")
    run.tool_started(name="recall", parameters={"key": "k"})
    run.tool_completed(name="recall", error={"code": "no_thread", "message": "no thread"})
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_a_tool_of_the_engines_own_may_call_others() -> History:
    """Delegation: what happens within the engine's own tool is told as that tool."""
    history, run = begun()
    run.tool_started(name="ask_a_colleague")
    history.echo(run)
    run.tool_completed(name="ask_a_colleague")
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_a_call_of_which_nobody_knows_whose_it_is_may_be_the_one() -> History:
    history, run = begun()
    run.tool_started(parameters={"text": "no canary"})
    history.tool_ends(history.tool_called("echo", {"text": "something"}))
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


@good("EVT-12")
def test_calls_that_the_runs_events_may_have_told_before_the_cut() -> History:
    """Events are missing: the one that tells the call may be among them."""
    history, run = begun()
    history.echo(run)
    run.tool_started(on=())
    run.tool_completed(on=())
    history.model(run, SAID)
    run.completed(SAID, on=())
    return history


@undecided("EVT-12", reason="no tool call reached the witness")
def test_tools_that_are_not_wired_to_the_witness() -> History:
    history = Witnessed()
    run = history.connect().start(SCRIPT)
    run.started()
    run.thinking()
    history.model(run)
    run.tool_started()
    run.tool_completed()
    history.model(run, SAID)
    run.completed(SAID)
    return history


# -- EVT-16 ---------------------------------------------------------------------------------------------------------


@good("EVT-16")
def test_all_that_was_said_between_the_tools() -> History:
    """What the model said before the tool and after it is the answer, or only the latter."""
    history, run = begun()
    history.model(run, "Let me see. ")
    run.tool_started()
    history.echo(run)
    run.tool_completed()
    history.model(run, SAID)
    run.completed(f"Let me see. {SAID}")
    other = history.connect().start(SCRIPT)
    other.started()
    other.thinking()
    history.model(other, "Let me see. ")
    history.model(other, SAID)
    other.completed(SAID)
    return history


@bad(
    "EVT-16",
    message="the answer is not what the model said: they part at character 14",
    expected=SAID,
    actual="The answer is 42, as ever.",
    witnesses=("model_call_ended", "agent_completed"),
)
def test_words_that_were_exchanged() -> History:
    history, run = begun()
    history.model(run, SAID)
    run.completed("The answer is 42, as ever.")
    return history


@bad(
    "EVT-16",
    message="the answer is not what the model said: they part at character 33",
    expected="*as ever.",
    actual=f"*{SAID}",
    witnesses=("model_call_ended", "agent_completed"),
)
def test_an_answer_that_comes_twice() -> History:
    history, run = begun()
    history.model(run, SAID)
    run.completed(SAID + SAID)
    return history


@bad(
    "EVT-16",
    message="an answer that no model gave",
    expected="a call of the model that was shown the user's message",
    actual=f"none, and the answer *{SAID}*",
    witnesses=("asked", "agent_completed"),
)
def test_an_answer_out_of_a_can() -> History:
    history, run = begun()
    run.completed(SAID)
    return history


@undecided("EVT-16", reason="no model call reached the witness")
def test_a_model_that_is_not_wired_to_the_witness() -> History:
    history = Witnessed()
    run = history.connect().start(SCRIPT)
    run.started()
    run.thinking()
    run.completed(SAID)
    return history


@undecided("EVT-16", reason="nothing was seen that could decide it")
def test_a_model_call_that_failed_or_went_on() -> History:
    history = Witnessed()
    run = history.connect().start(SCRIPT)
    run.started()
    run.thinking()
    history.model_answers(history.model_asked(run), "The ans", end=CallEnd.FAILED, status=500, error="down")
    history.model(run, SAID)
    run.completed("The ans")
    other = history.connect().start(SCRIPT)
    other.started()
    other.thinking()
    history.model_asked(other)
    other.completed("What?")
    return history


@undecided("EVT-16", reason="nothing was seen that could decide it")
def test_an_answer_that_another_call_may_have_given() -> History:
    """Of one call nobody knows whose it is."""
    history = Witnessed()
    run = history.connect().start(SCRIPT)
    run.started()
    run.thinking()
    history.model(run, "What was the question?")
    history.model(None, SAID, "a question in other words")
    run.completed(SAID)
    return history


@good("EVT-16")
def test_a_call_that_says_two_things_of_its_run() -> History:
    """It names one run and holds the words of another: it is no evidence against either."""
    history = Witnessed()
    before(history)
    one, two = history.connect(ALICE).start(SCRIPT), history.connect(ALICE).start(SCRIPT)
    for run in (one, two):
        run.started()
        run.thinking()
    history.model_answers(history.model_asked(one, run_id=two.run_id), SAID)
    one.completed("One thing.")
    two.completed("Another.")
    return history


def test_what_counts_as_told() -> None:
    assert tells("A long answer.", ["A long answer."])
    assert tells(" A long answer.\n", ["A long answer."])
    assert tells("One. Two.", ["One.", "Two."])
    assert tells("Agent: a long enough answer [1]", ["a long enough answer"])
    assert tells("half rest", ["half ", "rest", "half "])
    assert tells("half a long rest", ["half ", "a long rest", "half "])
    assert tells("again again", ["again ", "again"])
    assert tells("a long answer", ["a long answer, cut"]) is False
    assert tells("", ["a long answer"]) is False
    assert tells("a long enough answer a long enough answer", ["a long enough answer"]) is False
    assert tells("well, all is well", ["well"]) is None


def test_names_and_parameters_that_agree() -> None:
    assert same_tool("echo", "echo")
    assert same_tool("mcp__tools__echo", "echo")
    assert not same_tool("reecho", "echo")
    assert not same_tool("echo", "recall")
    assert same_parameters({"ms": 5.0, "text": "x"}, {"ms": 5, "text": "x"})
    assert same_parameters('{"text": "x"}', {"text": "x"})
    assert same_parameters(None, {"text": "x"})
    assert same_parameters({"text": "x"}, {"text": "x", "session": "added by the engine"})
    assert not same_parameters({"text": "x"}, {"text": "y"})
    assert not same_parameters({"words": "x"}, {"text": "x"})
    assert not same_parameters("{not json", {"text": "x"})

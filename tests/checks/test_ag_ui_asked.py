"""AG-UI as the kit asks for it: what its events cannot say is nobody's fault."""

from conformance.history.operations import ClosedBy
from conformance.script import Script, say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.exchanges import Exchange, agui
from tests.checks.histories import History, violated


def used(story: History, script: Script, thread: str = "thread-1") -> Exchange:
    """A run that uses its tool."""
    return Exchange(story, script=script, thread_id=thread, behaviour="tool").starts()


def failing(result: str) -> History:
    """A tool that fails, and the result that was told of it."""
    story = agui()
    run = used(story, [tool("fail", message="broken"), *say("well")])
    run.calls("fail", '{"message": "broken"}', result)
    run.says("well")
    run.finishes()
    return story


@good("EVT-11")
def test_a_result_that_says_that_the_tool_failed() -> History:
    return failing('{"error": "broken"}')


@undecided("EVT-11", reason="nothing was seen that could decide it")
def test_a_result_that_says_in_its_own_words_what_happened() -> History:
    return failing("Tool execution was interrupted.")


def sleeping(**times: float) -> History:
    story = agui()
    run = used(story, [tool("sleep", ms=300, text="zzz"), *say("well")])
    run.calls("sleep", '{"ms": 300, "text": "zzz"}', "zzz", **times)
    run.says("well")
    run.finishes()
    return story


@good("DLV-03")
def test_a_call_whose_arguments_are_whole_before_the_tool_runs() -> History:
    return sleeping(runs_ms=300)


@undecided("DLV-03", reason="nothing was seen that could decide it")
def test_a_call_that_is_told_at_once_and_whose_arguments_end_with_the_tool() -> History:
    """AG-UI: when TOOL_CALL_END comes, the tool is under way or done."""
    return sleeping(held_ms=300)


def second_on_a_thread(*, left: bool) -> History:
    """A second run of a thread shows what the first one was asked, in the thread's messages."""
    story = agui()
    first = used(story, say("one"))
    first.says("on")
    if left:
        first.ends(ClosedBy.KIT)
    second = used(story, say("two"))
    second.says("two")
    asked = {"id": story.id(), "role": "user", "content": first.asked.canary}
    second.tells("MESSAGES_SNAPSHOT", messages=[asked])
    second.finishes()
    if not left:
        first.finishes()
    return story


def test_what_a_run_left_behind_is_its_threads_history() -> None:
    assert violated(second_on_a_thread(left=True)) == set()


@bad(
    "ISO-05",
    message="a concurrent run's canary in a run that was not told it",
    expected="only what this run was told",
    actual="cnry~*",
    witnesses=("asked", "MESSAGES_SNAPSHOT"),
)
def test_what_a_concurrent_run_was_told() -> History:
    return second_on_a_thread(left=False)


def answered(content_type: str) -> History:
    story = agui()
    Exchange(story, script=say("x")).begins(content_type).ends(ClosedBy.KIT)
    return story


@good("SCH-07")
def test_an_answer_to_post_need_not_forbid_to_be_stored() -> History:
    return answered(content_type="text/event-stream; charset=utf-8")


@bad(
    "SCH-07",
    message="an event stream with the wrong headers",
    expected="content-type: text/event-stream",
    actual="content-type: application/json, cache-control: none",
    witnesses=("connected",),
)
def test_an_answer_to_post_that_says_it_is_something_else() -> History:
    return answered(content_type="application/json")

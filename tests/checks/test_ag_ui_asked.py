"""AG-UI as the kit asks for it: what its events cannot say is nobody's fault."""

from typing import Any

from conformance.history.operations import Action, ClosedBy
from conformance.script import Script, say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, History, Socket, violated


class Exchange:
    """One request and its response; runs and threads have the names that the client gave."""

    def __init__(self, history: History, script: Script, *, thread: str = "thread-1") -> None:
        self.history, self.thread = history, thread
        self.run_id = history.id()
        self.socket: Socket = history.connecting(ALICE, url="http://target/", method="POST", accept="text/event-stream")
        self.canary = history.canary()
        names: dict[str, Any] = {"request_id": self.run_id, "thread_id": thread, "canary": self.canary}
        self.socket.asks(Action.START, script=script, behaviour="tool", **names)
        self.socket.connected(200, content_type="text/event-stream", cache_control="no-store")
        self.tells("RUN_STARTED", threadId=thread, runId=self.run_id)

    def tells(self, wire_type: str, **fields: Any) -> None:
        self.socket.receives({"type": wire_type, **fields})

    def calls(self, name: str, arguments: str, result: str, *, held_ms: float = 0, runs_ms: float = 0) -> None:
        """A call with its result; `held_ms` pass before TOOL_CALL_END, `runs_ms` after it."""
        call = self.history.id()
        self.tells("TOOL_CALL_START", toolCallId=call, toolCallName=name)
        self.tells("TOOL_CALL_ARGS", toolCallId=call, delta=arguments)
        self.history.after(held_ms)
        self.tells("TOOL_CALL_END", toolCallId=call)
        self.history.after(runs_ms)
        self.tells("TOOL_CALL_RESULT", messageId=self.history.id(), toolCallId=call, content=result)

    def says(self, text: str) -> None:
        message = self.history.id()
        self.tells("TEXT_MESSAGE_START", messageId=message, role="assistant")
        self.tells("TEXT_MESSAGE_CONTENT", messageId=message, delta=text)
        self.tells("TEXT_MESSAGE_END", messageId=message)

    def finishes(self) -> None:
        self.tells("RUN_FINISHED", threadId=self.thread, runId=self.run_id)
        self.socket.closed(ClosedBy.TARGET, None)


def history() -> History:
    return History(dialect="ag-ui")


def failing(result: str) -> History:
    """A tool that fails, and the result that was told of it."""
    story = history()
    run = Exchange(story, [tool("fail", message="broken"), *say("well")])
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
    story = history()
    run = Exchange(story, [tool("sleep", ms=300, text="zzz"), *say("well")])
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
    story = history()
    first = Exchange(story, say("one"))
    first.says("on")
    if left:
        first.socket.closed(ClosedBy.KIT, None)
    second = Exchange(story, say("two"))
    second.says("two")
    asked = {"id": story.id(), "role": "user", "content": first.canary}
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
    story = history()
    socket = story.connecting(ALICE, url="http://target/", method="POST", accept="text/event-stream")
    socket.asks(Action.START, request_id="run-1234567", thread_id="thread-1", canary=story.canary(), script=say("x"))
    socket.connected(200, content_type=content_type)
    socket.closed(ClosedBy.KIT, None)
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

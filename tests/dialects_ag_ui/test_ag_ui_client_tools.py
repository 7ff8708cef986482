"""Tools that the client runs, and runs that have nothing to say: AG-UI allows both, and neither is a violation."""

import pytest

from tests.dialects_ag_ui.streams import (
    FRAMINGS,
    Frame,
    Frames,
    call,
    failed,
    finished,
    judged,
    lines,
    outcome,
    result,
    run,
    started,
    stream,
    text,
    violated,
)

WITH_TOOLS: Frame = {"input": {"tools": [{"name": "confirm"}], "messages": []}}
_PAUSED: Frame = {
    "outcome": {"type": "interrupt", "interrupts": [{"id": "int-1", "reason": "tool_call", "toolCallId": "call-1"}]}
}
_NEXT = [started("run-b2"), result(), *text(message="msg-b"), finished("run-b2")]
_TOOL_CHUNK: Frame = {"type": "TOOL_CALL_CHUNK", "toolCallId": "call-1", "toolCallName": "confirm", "delta": "{}"}

CLEAN: dict[str, Frames] = {
    "nothing but a start and an end": [started(), finished()],
    "state alone": [started(), {"type": "STATE_SNAPSHOT", "snapshot": {}}, finished()],
    "white space and a call": [started(), *text("\n\n"), *call(), finished()],
    "a call without a result": run(call(), words=None),
    "a call of the client's tool": run(call(name="confirm"), **WITH_TOOLS),
    "a call in chunks": run(_TOOL_CHUNK, words=None),
    "two calls, one of them the target's": run(call(), result(), call(identifier="call-2")),
    "a call, then an error": [started(), *call(), failed()],
    "an interrupt that waits for a call": [started(**WITH_TOOLS), *call(), finished(**_PAUSED)],
    "a result in the run that goes on": [started(), *call(), finished(**_PAUSED), *_NEXT],
    "a result in a branch": [started(parentRunId="run-0"), result(), *text(), finished()],
    "a result in a run whose input resumes": [
        started(input={"resume": [{"interruptId": "int-1", "status": "resolved"}]}),
        result(),
        *text(),
        finished(),
    ],
    "a result of a call that was made before the recording": run(result()),
    "a result of a call in the messages": run(
        {"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "m", "role": "assistant", "toolCalls": [{"id": "call-1"}]}]},
        result(),
    ),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", CLEAN)
def test_no_violation(name: str, framing: str) -> None:
    assert violated(judged((lines if framing == "lines" else stream)(CLEAN[name]))) == set()


def test_a_tool_that_is_not_the_clients_has_a_result() -> None:
    verdict = judged(lines(run(call(), **WITH_TOOLS)))
    assert violated(verdict) == {"AGU-22"}
    assert outcome(judged(lines(run(call(), result(), **WITH_TOOLS))), "AGU-22") == "pass"


def test_run_ids_that_the_client_chose_may_be_guessed() -> None:
    frames = [frame for n in range(30) for frame in (started(f"run-{n:04}"), *text(), finished(f"run-{n:04}"))]
    assert violated(judged(lines(frames))) == set()

"""What the model does next: pure."""

import json
from typing import Any

import pytest

from conformance.witness.conversation import Conversation, of_chat, of_responses
from conformance.witness.pieces import MOST_PIECES, fragments, words
from conformance.witness.plan import CallTools, Fail, Move, Say, Stall, Think, offered_name, plan
from conformance.witness.script_text import BadScript, canary_of, find_scripts
from tests.witness.harness import CANARY, Step, parallel, say, script, think, tool

OTHER = "cnry~ffffffffffffffffffff~"


def moves(text: str, *after: dict[str, Any], offered: tuple[str, ...] = ()) -> tuple[Move, ...]:
    return plan(Conversation(tuple(of_chat([{"role": "user", "content": text}, *after]))), offered)


def kinds(found: tuple[Move, ...]) -> list[type[Move]]:
    return [type(move) for move in found]


def result(text: str = "done") -> dict[str, Any]:
    return {"role": "tool", "content": text}


def test_the_script_is_found_wherever_it_stands() -> None:
    steps: list[Step] = [say('a "quoted" \\ text'), {"recall": True}]
    plain = json.dumps(steps)
    assert find_scripts(f"before script: {plain} after")[0].steps == steps
    assert find_scripts(f"script:\n{plain}")[0].steps == steps
    assert find_scripts(json.dumps({"question": f"x script: {plain}", "y": [1]}))[0].steps == steps
    assert find_scripts("no script, [1, 2]") == []
    with pytest.raises(BadScript, match="not a JSON array"):
        find_scripts('script: [{"say": }]')


def test_what_a_script_says_is_no_script() -> None:
    (found,) = find_scripts(script(say('script: [{"say": "inner"}]')))
    assert found.steps == [say('script: [{"say": "inner"}]')]


def test_of_several_the_newest_counts() -> None:
    text = f"user: {script(say('old'))}\nassistant: old\nuser: {OTHER} {script(say('new'), {'recall': True})[27:]}"
    first, second = moves(text)
    assert isinstance(first, Say)
    assert first.text == "new"
    assert isinstance(second, Say)
    assert "assistant: old" in second.text
    assert canary_of(text) == OTHER


def test_the_canary_of_a_message() -> None:
    assert canary_of("nothing") is None
    assert canary_of(f"{OTHER} then {CANARY}") == CANARY
    assert canary_of(script(say(OTHER))) == CANARY


def test_the_next_step_follows_from_the_results() -> None:
    both = parallel(tool("echo", text="A"), tool("echo", text="B"))
    text = script(think("T"), tool("echo", text="1"), say("S"), both, {"stall_ms": 5}, say("E"))
    assert kinds(moves(text)) == [Think, CallTools]
    assert kinds(moves(text, result())) == [Say, CallTools]
    assert kinds(moves(text, result(), result())) == [CallTools]
    assert kinds(moves(text, result(), result(), result())) == [Stall, Say]
    assert [move.step for move in moves(text, result(), result(), result())] == [4, 5]


def test_calls_count_where_a_result_is_missing() -> None:
    text = script(tool("fail", message="x"), say("end"))
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "fail"}}]}
    assert kinds(moves(text, called)) == [Say]


def test_a_failure_before_the_stream_leaves_only_the_silence_before_it() -> None:
    assert kinds(moves(script(think("T"), {"stall_ms": 5}, say("S"), {"fail": "F"}, say("never")))) == [Stall, Fail]
    found = moves(script(think("T"), {"fail": "F", "when": "mid_stream", "status": 429}, say("never")))
    assert kinds(found) == [Think, Fail]
    assert found[-1] == Fail(message="F", status=429, mid_stream=True, step=1)


def test_the_pace_holds_from_its_step_on_also_over_calls() -> None:
    text = script({"slow_ms": 7}, tool("echo", text="A"), say("S"), {"say": "T", "slow_ms": 2})
    assert [move.pace_ms for move in moves(text)] == [7]
    assert [move.pace_ms for move in moves(text, result())] == [7, 2]


@pytest.mark.parametrize(
    "step",
    [
        5,
        {},
        {"say": 1},
        {"think": "x", "y": 1},
        {"stall_ms": -1},
        {"stall_ms": "long"},
        {"slow_ms": True},
        {"recall": False},
        {"tool": ""},
        {"tool": "echo", "args": []},
        {"parallel": [{"say": "x"}]},
        {"fail": "x", "status": 200},
        {"fail": "x", "when": "later"},
        {"say": "x", "slow_ms": "y"},
    ],
)
def test_a_step_that_is_unknown_is_refused(step: Any) -> None:
    (failure,) = moves(f"script: {json.dumps([say('x'), step])}")
    assert isinstance(failure, Fail)
    assert failure.status == 400
    assert "step 2 of the script" in failure.message


def test_tools_are_called_by_the_name_that_they_are_offered_by() -> None:
    assert offered_name("echo", ("mcp__a__echo", "echo")) == "echo"
    assert offered_name("echo", ("mcp__tools__echo", "other")) == "mcp__tools__echo"
    assert offered_name("echo", ("functions.echo",)) == "functions.echo"
    assert offered_name("echo", ("long__server__echo", "s__echo")) == "s__echo"
    assert offered_name("call", ("recall",)) == "call"
    assert offered_name("echo", ()) == "echo"


def test_without_a_message_of_the_user_the_last_one_counts() -> None:
    (said,) = plan(Conversation(tuple(of_chat([{"role": "system", "content": script(say("S"))}]))), ())
    assert isinstance(said, Say)
    (failure,) = plan(Conversation(tuple(of_chat([{"role": "assistant", "content": "x"}]))), ())
    assert isinstance(failure, Fail)


def test_items_of_responses_are_counted_in_every_form() -> None:
    asked = {"type": "message", "role": "user", "content": script(tool("echo", text="A"), say("end"))}
    for item in (
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "A"}]},
        {"type": "function_call", "call_id": "c", "name": "echo", "arguments": "{}"},
        {"type": "item_reference", "id": "fc_1"},
    ):
        assert kinds(plan(Conversation(tuple(of_responses([asked, item]))), ())) == [Say]


def test_pieces_put_together_are_the_text() -> None:
    for text in ("", " ", "one", " two  words\n", "x " * 10_000, "\u00a0é\u2028 ~"):
        assert "".join(words(text)) == text
        assert "".join(fragments(text)) == text
        assert len(words(text)) <= MOST_PIECES
    assert words("one two") == ["one ", "two"]

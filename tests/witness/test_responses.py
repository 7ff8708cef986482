"""The Responses interface, by the official client."""

import json
from typing import Any

import openai
import pytest
from openai.types.responses import FunctionToolParam, Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conformance.history.operations import CallEnd, ModelCallEnded
from tests.witness.harness import CANARY, ECHO, Step, parallel, say, script, serving, sse, think, tool

TOOLS: list[FunctionToolParam] = [
    {"type": "function", "name": name, "parameters": ECHO, "strict": True} for name in ("mcp__tools__echo", "sleep")
]


def user(*steps: Step) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_text", "text": script(*steps)}]}]


async def ask(client: openai.AsyncOpenAI, data: Any, *, stream: bool, **options: Any) -> Response:
    options = {"model": "any", "input": data, "tools": TOOLS, **options}
    if not stream:
        found: Response = await client.responses.create(**options)
        return found
    async with client.responses.stream(**options) as events:
        async for _ in events:
            pass
        return await events.get_final_response()


def results(response: Response) -> list[dict[str, Any]]:
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": "done"}
        for item in response.output
        if item.type == "function_call"
    ]


def types(response: Response) -> list[str]:
    return [item.type for item in response.output]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_script_is_followed_to_its_end(stream: bool) -> None:
    async with serving() as site, site.openai() as client:
        steps = (think("let me see"), tool("echo", text="A b"), say("It is "), say("A b."))
        data = user(*steps)
        first = await ask(client, data, stream=stream, instructions="You are an agent.")
        assert types(first) == ["reasoning", "function_call"]
        thought, call = first.output
        assert thought.type == "reasoning"
        assert [part.text for part in thought.summary] == ["let me see"]
        assert call.type == "function_call"
        assert (call.name, json.loads(call.arguments)) == ("mcp__tools__echo", {"text": "A b"})
        data += [item.model_dump(exclude_none=True) for item in first.output] + results(first)
        second = await ask(client, data, stream=stream)
        assert types(second) == ["message"]
        assert second.output_text == "It is A b."
        assert second.status == "completed"

        (began, ended), (began_again, ended_again) = site.pairs()
        assert (began.endpoint, began.stream, began.canary) == ("responses", stream, CANARY)
        assert [seen.role for seen in began.seen] == ["system", "user"]
        assert (ended.end, ended.steps, ended.thoughts) == (CallEnd.COMPLETED, (0, 1), ("let me see",))
        assert [seen.role for seen in began_again.seen] == ["user", "reasoning", "assistant", "tool"]
        assert (ended_again.steps, ended_again.text) == ((2, 3), "It is A b.")


@pytest.mark.parametrize("stream", [False, True])
async def test_parallel_calls(stream: bool) -> None:
    async with serving() as site, site.openai() as client:
        data = user(parallel(tool("echo", text="A"), tool("sleep", ms=1, text="B")), say("end"))
        first = await ask(client, data, stream=stream)
        assert types(first) == ["function_call", "function_call"]
        assert len({item.call_id for item in first.output if item.type == "function_call"}) == 2
        items = [item.model_dump(exclude_none=True) for item in first.output]
        assert (await ask(client, [*data, *items, *results(first)], stream=stream)).output_text == "end"


async def test_a_response_can_be_continued_by_its_id() -> None:
    async with serving() as site, site.openai() as client:
        first = await ask(client, user(tool("echo", text="A"), tool("echo", text="B"), say("end")), stream=True)
        second = await ask(client, results(first), stream=False, previous_response_id=first.id)
        assert [item.arguments for item in second.output if item.type == "function_call"] == ['{"text":"B"}']
        third = await ask(client, results(second), stream=True, previous_response_id=second.id)
        assert third.output_text == "end"
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(client, results(second), stream=True, previous_response_id="resp_of_somebody")
        assert refused.value.code == "previous_response_not_found"


async def test_events_are_as_the_interface_has_them() -> None:
    async with serving() as site, site.http() as http:
        steps = (think("a b"), say("c "), say("d"), parallel(tool("echo", text="some text"), tool("hang")))
        body = {"model": "m", "input": script(*steps), "stream": True, "include": ["reasoning.encrypted_content"]}
        response = await http.post("/v1/responses", json=body)
        named = sse(response.text)
        events = [TypeAdapter(ResponseStreamEvent).validate_json(data) for _, data in named]
        assert [event.type for event in events] == [name for name, _ in named]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        call = [
            "response.output_item.added",
            *["response.function_call_arguments.delta"] * 4,
            "response.function_call_arguments.done",
            "response.output_item.done",
        ]
        assert [event.type for event in events] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            *call,
            *[kind for kind in call if kind != "response.function_call_arguments.delta"][:1],
            *["response.function_call_arguments.delta"] * 2,
            *call[-2:],
            "response.completed",
        ]
        last = events[-1]
        assert last.type == "response.completed"
        done = [event.item for event in events if event.type == "response.output_item.done"]
        assert last.response.output == done
        usage = last.response.usage
        assert usage is not None
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens


async def test_an_answer_of_nothing_is_an_empty_message() -> None:
    async with serving() as site, site.openai() as client:
        data = [*user(tool("echo", text="A")), {"type": "function_call_output", "call_id": "c", "output": "A"}]
        response = await ask(client, data, stream=True)
        assert types(response) == ["message"]
        assert response.output_text == ""


async def test_a_failure_before_the_stream() -> None:
    async with serving() as site, site.openai() as client:
        with pytest.raises(openai.InternalServerError, match="out of order"):
            await ask(client, user(think("x"), {"fail": "out of order", "status": 503}), stream=True)
        ended = site.book.last(ModelCallEnded)
        assert (ended.end, ended.status, ended.error) == (CallEnd.FAILED, 503, "out of order")


async def test_a_failure_in_mid_stream_is_told_by_the_response() -> None:
    async with serving() as site, site.openai() as client:
        data: Any = user(say("half an "), {"fail": "broken off", "when": "mid_stream"})
        stream = await client.responses.create(model="m", input=data, stream=True)
        events = [event async for event in stream]
        last = events[-1]
        assert last.type == "response.failed"
        assert last.response.status == "failed"
        assert last.response.error is not None
        assert (last.response.error.code, last.response.error.message) == ("server_error", "broken off")
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "half an "
        ended = site.book.last(ModelCallEnded)
        assert (ended.end, ended.text, ended.error, ended.status) == (CallEnd.FAILED, "half an ", "broken off", 200)


async def test_a_client_that_goes_away_in_mid_stream_is_recorded() -> None:
    async with serving() as site, site.openai() as client:
        data: Any = user(say("before "), {"stall_ms": 86_400_000}, say("after"))
        stream = await client.responses.create(model="m", input=data, stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        ended = await site.book.first(ModelCallEnded)
        assert (ended.end, ended.text) == (CallEnd.CLIENT_GONE, "before ")

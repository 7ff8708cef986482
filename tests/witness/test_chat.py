"""Chat Completions, by the official client."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionToolParam

from conformance.history.operations import CallEnd, ModelCallBegan, ModelCallEnded
from tests.witness.harness import CANARY, ECHO, Step, parallel, say, script, serving, sse, think, tool

TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": name, "parameters": ECHO}} for name in ("echo", "fail", "sleep")
]


def user(*steps: Step) -> list[ChatCompletionMessageParam]:
    return [{"role": "system", "content": "You are an agent."}, {"role": "user", "content": script(*steps)}]


async def follow(client: openai.AsyncOpenAI, messages: list[Any], *, stream: bool, **options: Any) -> list[Any]:
    """Go on until the model calls no more tools; return its messages as they were put together."""
    answers = []
    while True:
        answer = await (streamed if stream else whole)(client, messages, **options)
        answers.append(answer)
        if not answer.get("tool_calls"):
            return answers
        messages = [*messages, answer]
        for call in answer["tool_calls"]:
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "done"})


async def whole(client: openai.AsyncOpenAI, messages: list[Any], **options: Any) -> dict[str, Any]:
    completion = await client.chat.completions.create(model="any", messages=messages, tools=TOOLS, **options)
    choice = completion.choices[0]
    assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
    found = choice.message.model_dump(exclude_none=True)
    return {name: found[name] for name in ("role", "content", "reasoning_content", "tool_calls") if found.get(name)}


async def streamed(client: openai.AsyncOpenAI, messages: list[Any], **options: Any) -> dict[str, Any]:
    put_together: dict[str, Any] = {"role": "assistant"}
    async with client.chat.completions.stream(model="any", messages=messages, tools=TOOLS, **options) as stream:
        async for event in stream:
            if event.type == "chunk":
                for choice in event.chunk.choices:
                    for name in ("reasoning_content", "content"):
                        if piece := getattr(choice.delta, name, None):
                            put_together[name] = put_together.get(name, "") + piece
        final = (await stream.get_final_completion()).choices[0]
    if final.message.tool_calls:
        calls = [call.model_dump(exclude_none=True) for call in final.message.tool_calls]
        for call in calls:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        put_together["tool_calls"] = calls
    assert final.finish_reason == ("tool_calls" if final.message.tool_calls else "stop")
    return put_together


@pytest.mark.parametrize("stream", [False, True])
async def test_a_script_is_followed_to_its_end(stream: bool) -> None:
    async with serving() as site, site.openai() as client:
        steps = (think("let me see"), tool("echo", text="A b"), say("It is "), say("A b, you see."))
        first, second = await follow(client, user(*steps), stream=stream)
        assert first["reasoning_content"] == "let me see"
        (call,) = first["tool_calls"]
        assert call["function"]["name"] == "echo"
        assert json.loads(call["function"]["arguments"]) == {"text": "A b"}
        assert second == {"role": "assistant", "content": "It is A b, you see."}

        (began, ended), (began_again, ended_again) = site.pairs()
        assert (began.endpoint, began.model, began.stream) == ("chat.completions", "any", stream)
        assert [seen.role for seen in began.seen] == ["system", "user"]
        assert began.newest == 1
        assert began.canary == CANARY
        assert began.offered == ("echo", "fail", "sleep")
        assert (ended.end, ended.steps, ended.thoughts) == (CallEnd.COMPLETED, (0, 1), ("let me see",))
        assert [(call.name, call.arguments) for call in ended.tool_calls] == [("echo", '{"text":"A b"}')]
        assert [seen.role for seen in began_again.seen] == ["system", "user", "reasoning", "assistant", "tool"]
        assert (ended_again.steps, ended_again.text) == ((2, 3), "It is A b, you see.")
        assert began.at <= ended.at < began_again.at <= ended_again.at
        assert site.served.open_calls == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_parallel_calls_come_at_once_and_the_script_goes_on_when_all_are_answered(stream: bool) -> None:
    async with serving() as site, site.openai() as client:
        both = parallel(tool("echo", text="A"), tool("fail", message="B"))
        first, second, third = await follow(client, user(both, tool("echo", text="C"), say("end")), stream=stream)
        assert [call["function"]["name"] for call in first["tool_calls"]] == ["echo", "fail"]
        assert len({call["id"] for call in (*first["tool_calls"], *second["tool_calls"])}) == 3
        assert [json.loads(call["function"]["arguments"]) for call in second["tool_calls"]] == [{"text": "C"}]
        assert third["content"] == "end"


async def test_where_parallel_calls_are_not_allowed_they_come_one_after_the_other() -> None:
    async with serving() as site, site.openai() as client:
        both = parallel(tool("echo", text="A"), tool("echo", text="B"))
        messages = user(think("once"), both, say("end"))
        answers = await follow(client, messages, stream=True, parallel_tool_calls=False)
        arguments = [call["function"]["arguments"] for answer in answers[:-1] for call in answer["tool_calls"]]
        assert arguments == ['{"text":"A"}', '{"text":"B"}']
        assert [answer.get("reasoning_content") for answer in answers] == ["once", None, None]


async def test_chunks_are_as_the_interface_has_them() -> None:
    async with serving() as site, site.http() as http:
        steps = (think("a b"), say("c d"), parallel(tool("echo", text="some text"), tool("echo", text="more")))
        body = {"model": "m", "messages": user(*steps), "stream": True, "stream_options": {"include_usage": True}}
        response = await http.post("/v1/chat/completions", json=body)
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [data for _, data in sse(response.text)]
        assert events.pop() == "[DONE]"
        chunks = [ChatCompletionChunk.model_validate_json(data) for data in events]
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[0].choices[0].delta.role == "assistant"
        assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
        assert chunks[-1].choices == []
        reasons = [chunk.choices[0].finish_reason for chunk in chunks[:-1]]
        assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]
        assert [c.choices[0].delta.content for c in chunks[:-1] if c.choices[0].delta.content] == ["c ", "d"]
        pieces = [piece for chunk in chunks[:-1] for piece in chunk.choices[0].delta.tool_calls or ()]
        assert [piece.index for piece in pieces] == sorted(piece.index for piece in pieces)
        for index, text in enumerate(("some text", "more")):
            first, *rest = [piece for piece in pieces if piece.index == index]
            assert first.id
            assert first.function
            assert (first.type, first.function.name, first.function.arguments) == ("function", "echo", "")
            assert len(rest) > 1
            assert all(piece.id is None and piece.function and piece.function.name is None for piece in rest)
            arguments = "".join(piece.function.arguments or "" for piece in rest if piece.function)
            assert json.loads(arguments) == {"text": text}


async def test_usage_counts_what_was_shown_and_what_was_emitted() -> None:
    async with serving() as site, site.openai() as client:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "12345678"}]
        completion = await client.chat.completions.create(model="m", messages=messages)
        usage = completion.usage
        assert usage is not None
        assert usage.prompt_tokens == 2
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert usage.completion_tokens_details is not None
        assert 0 < (usage.completion_tokens_details.reasoning_tokens or 0) < usage.completion_tokens
        stream = await client.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        assert [chunk.usage async for chunk in stream if chunk.usage] == [usage]


async def test_without_a_script_it_thinks_once_and_repeats_the_message() -> None:
    async with serving() as site, site.openai() as client:
        messages = [{"role": "user", "content": "Good morning."}]
        (answer,) = await follow(client, messages, stream=True)
        assert answer["content"] == "You said: Good morning."
        assert answer["reasoning_content"]
        ended = site.book.last(ModelCallEnded)
        assert len(ended.thoughts) == 1
        assert ended.steps == ()


async def test_recall_says_all_that_is_to_be_seen_of_earlier_messages() -> None:
    async with serving() as site, site.openai() as client:
        earlier = [{"role": "user", "content": "my dog is called Rex"}, {"role": "assistant", "content": "Noted."}]
        (answer,) = await follow(client, [*earlier, *user({"recall": True})], stream=False)
        assert answer["content"].splitlines() == [
            "user: my dog is called Rex",
            "assistant: Noted.",
            "system: You are an agent.",
        ]


async def test_a_failure_is_an_http_error_that_the_script_chooses() -> None:
    async with serving() as site, site.openai() as client:
        with pytest.raises(openai.InternalServerError, match="out of order"):
            await follow(client, user(think("x"), {"fail": "out of order"}), stream=True)
        with pytest.raises(openai.RateLimitError) as limited:
            await follow(client, user({"fail": "too much", "status": 429}), stream=False)
        assert limited.value.code == "rate_limit_exceeded"
        (_, first), (_, second) = site.pairs()
        assert (first.end, first.status, first.error, first.steps) == (CallEnd.FAILED, 500, "out of order", (1,))
        assert first.thoughts == ()
        assert second.status == 429


async def test_a_failure_in_mid_stream_comes_after_what_was_said() -> None:
    async with serving() as site, site.openai() as client:
        steps = (say("half an "), {"fail": "broken off", "when": "mid_stream"})
        stream = await client.chat.completions.create(model="m", messages=user(*steps), stream=True)
        said: list[str] = []
        with pytest.raises(openai.APIError, match="broken off"):
            await read(stream, said)
        assert "".join(said) == "half an "
        with pytest.raises(openai.InternalServerError, match="broken off"):
            await client.chat.completions.create(model="m", messages=user(*steps))
        for _, ended in site.pairs():
            assert (ended.end, ended.text, ended.error) == (CallEnd.FAILED, "half an ", "broken off")
        assert [ended.status for _, ended in site.pairs()] == [200, 500]


async def read(stream: openai.AsyncStream[ChatCompletionChunk], into: list[str]) -> None:
    async for chunk in stream:
        into += [chunk.choices[0].delta.content or ""]


async def test_bad_arguments_are_no_json() -> None:
    async with serving() as site, site.openai() as client:
        steps = (
            {"tool": "echo", "args": {"text": "A"}, "bad_arguments": True},
            {"tool": "hang", "bad_arguments": True},
        )
        first, second, _ = await follow(client, user(*steps), stream=False)
        for answer in (first, second):
            with pytest.raises(json.JSONDecodeError):
                json.loads(answer["tool_calls"][0]["function"]["arguments"])


async def test_the_model_can_be_slow_and_silent() -> None:
    async with serving() as site, site.openai() as client:
        steps = ({"stall_ms": 30}, {"slow_ms": 5}, say("one two three four"))
        await follow(client, user(*steps), stream=True)
        began, ended = site.pairs()[0]
        assert ended.at - began.at >= (30 + 4 * 5) * 1000


async def test_a_client_that_goes_away_in_mid_stream_is_recorded() -> None:
    async with serving() as site, site.openai() as client:
        steps = (say("before "), {"stall_ms": 86_400_000}, say("after"))
        stream = await client.chat.completions.create(model="m", messages=user(*steps), stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert site.served.open_calls == 1
        await stream.close()
        ended = await site.book.first(ModelCallEnded)
        assert (ended.end, ended.text, ended.steps) == (CallEnd.CLIENT_GONE, "before ", (0, 1))
        assert site.served.open_calls == 0


async def test_a_client_that_does_not_wait_for_a_whole_answer_is_recorded() -> None:
    async with serving() as site, site.http() as http:
        body = {"model": "m", "messages": user({"stall_ms": 86_400_000})}
        asking = asyncio.create_task(http.post("/v1/chat/completions", json=body))
        await site.book.first(ModelCallBegan)
        asking.cancel()
        assert (await site.book.first(ModelCallEnded)).end is CallEnd.CLIENT_GONE


async def test_models_are_listed() -> None:
    async with serving() as site, site.openai() as client:
        assert [model.id async for model in client.models.list()] == ["scripted"]
        assert (await client.models.retrieve("org/any-name")).id == "org/any-name"

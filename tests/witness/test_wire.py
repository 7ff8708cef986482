"""What other clients than the official one send, over plain HTTP."""

import json
from typing import Any

import pytest

from conformance.history.operations import CallEnd, ModelCallBegan, ModelCallEnded
from tests.witness.harness import CANARY, parallel, say, script, serving, sse, think, tool

CHAT = "/v1/chat/completions"


def text_of(body: dict[str, Any]) -> str:
    return str(body["choices"][0]["message"]["content"])


async def test_a_lean_request_without_key_or_stream_options() -> None:
    async with serving() as site, site.http() as http:
        body = {
            "model": "openai/gpt-any",
            "messages": [{"role": "user", "content": script(say("a b"))}],
            "stream": True,
        }
        response = await http.post(CHAT, json=body)
        events = [data for _, data in sse(response.text)]
        assert events[-1] == "[DONE]"
        assert all("usage" not in json.loads(data) for data in events[:-1])
        assert site.book.last(ModelCallBegan).model == "openai/gpt-any"


async def test_content_parts_and_unknown_fields() -> None:
    async with serving() as site, site.http() as http:
        parts = [
            {"type": "text", "text": "context first", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": script(say("a b"))},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]
        body = {
            "model": "m",
            "messages": [{"role": "developer", "content": "be kind"}, {"role": "user", "content": parts, "name": "u"}],
            "max_tokens": 1,
            "temperature": 0,
            "n": 1,
            "response_format": {"type": "text"},
            "drop_params": True,
            "a_field_of_tomorrow": {"x": [1, None]},
        }
        response = await http.post(CHAT, json=body)
        assert text_of(response.json()) == "a b"
        seen = site.book.last(ModelCallBegan).seen
        assert [message.role for message in seen] == ["developer", "user"]
        assert seen[1].text.startswith("context first\n")
        assert '"image_url"' in seen[1].text


@pytest.mark.parametrize(
    "data",
    [
        script(say("a b")),
        [script(say("a b"))],
        [{"role": "user", "content": script(say("a b"))}],
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": script(say("a b"))}]}],
    ],
)
async def test_responses_input_in_any_form(data: Any) -> None:
    async with serving() as site, site.http() as http:
        response = await http.post("/v1/responses", json={"model": "m", "input": data})
        assert response.json()["output"][-1]["content"][0]["text"] == "a b"
        assert site.book.last(ModelCallBegan).canary == CANARY


async def test_who_calls_is_recorded_where_the_target_says_so() -> None:
    async with serving() as site, site.http() as http:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "m", "messages": messages, "user": "ann", "metadata": {"thread_id": "t1"}}
        await http.post(CHAT, json=body, headers={"X-Run-Id": "r1"})
        began = site.book.last(ModelCallBegan)
        assert (began.user, began.run_id, began.thread_id) == ("ann", "r1", "t1")
        await http.post(CHAT, json={"model": "m", "messages": messages})
        began = site.book.last(ModelCallBegan)
        assert (began.user, began.run_id, began.thread_id) == (None, None, None)


async def test_a_canary_in_any_other_field_is_seen() -> None:
    async with serving() as site, site.http() as http:
        function = {"name": "recall", "description": f"Knows {CANARY}."}
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": "hello"}],
            "tools": [{"type": "function", "function": function}],
            "seed": 1,
        }
        await http.post(CHAT, json=body)
        seen = site.book.last(ModelCallBegan).seen
        assert [message.role for message in seen] == ["user", "tools"]
        assert CANARY in seen[1].text


async def test_of_a_long_message_the_beginning_and_the_canaries_are_kept() -> None:
    text = f"{'x' * 5_000} {CANARY} {CANARY} the end"
    async with serving() as site, site.http() as http:
        await http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": text}]})
    (seen,) = site.book.last(ModelCallBegan).seen
    assert seen.text == f"{'x' * 2_000}… ({len(text):,} characters) {CANARY}"


async def test_results_alone_say_how_far_it_is() -> None:
    """A framework that shows the model no calls, and one that puts a note of its own behind the user's words."""
    async with serving() as site, site.http() as http:
        asked = {"role": "user", "content": script(tool("echo", text="A"), tool("echo", text="B"), say("end"))}
        note = {"role": "user", "content": "Remember to be brief."}
        result = {"role": "tool", "tool_call_id": "x", "content": "A"}
        response = await http.post(CHAT, json={"model": "m", "messages": [asked, note, result]})
        (call,) = response.json()["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"text": "B"}
        response = await http.post(CHAT, json={"model": "m", "messages": [asked, result, note, result]})
        assert text_of(response.json()) == "end"


async def test_a_message_after_an_answer_is_a_new_turn() -> None:
    async with serving() as site, site.http() as http:
        messages = [
            {"role": "user", "content": script(tool("echo", text="A"), say("first"))},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "echo"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "A"},
            {"role": "assistant", "content": "first"},
            {"role": "user", "content": "and now?"},
        ]
        response = await http.post(CHAT, json={"model": "m", "messages": messages})
        assert text_of(response.json()) == "You said: and now?"


async def test_the_same_request_gives_the_same_answer() -> None:
    async with serving() as site, site.http() as http:
        steps = (think("T"), say("S"), parallel(tool("echo", text="A"), tool("fail", message="B")))
        for path, body in (
            (CHAT, {"messages": [{"role": "user", "content": script(*steps)}]}),
            ("/v1/responses", {"input": script(*steps)}),
        ):
            for stream in (False, True):
                full = {"model": "m", "stream": stream, **body}
                first, second = [(await http.post(path, json=full)).text for _ in range(2)]
                assert without_time(first) == without_time(second)


def without_time(text: str) -> str:
    documents = [data for _, data in sse(text)] if text.startswith(("data:", "event:")) else [text]
    plain = []
    for document in documents:
        data = json.loads(document) if document != "[DONE]" else {}
        for part in (data, data.get("response", {})):
            for name in ("created", "created_at"):
                part.pop(name, None)
        plain.append(json.dumps(data))
    return "\n".join(plain)


@pytest.mark.parametrize(
    ("path", "content", "param"),
    [
        (CHAT, b"no json", None),
        (CHAT, b"[]", None),
        (CHAT, b'{"model":"m"}', "messages"),
        (CHAT, b'{"model":"m","messages":[]}', "messages"),
        (CHAT, b'{"model":"m","messages":["x"]}', "messages[...]"),
        ("/v1/responses", b'{"model":"m","input":5}', "input"),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"script: [{\\"think\\": ]"}]}', None),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"script: [{\\"dance\\": 1}]"}]}', None),
    ],
)
async def test_what_is_no_request_is_refused_and_recorded(path: str, content: bytes, param: str | None) -> None:
    async with serving() as site, site.http() as http:
        response = await http.post(path, content=content)
        assert response.status_code == 400
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        ended = site.book.last(ModelCallEnded)
        assert (ended.end, ended.status, ended.error) == (CallEnd.FAILED, 400, error["message"])
        if param is not None and param != "messages[...]":
            assert error["param"] == param or param in error["message"]


async def test_an_unknown_path_is_told_as_the_interface_does() -> None:
    async with serving() as site, site.http() as http:
        response = await http.post("/v1/embeddings", json={})
        assert response.status_code == 404
        assert "/v1/embeddings" in response.json()["error"]["message"]

"""A request to the model, whichever endpoint it came to. Pure: bytes and headers in, `ModelRequest` out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from conformance import canary
from conformance.witness import conversation
from conformance.witness.caller import Caller, caller
from conformance.witness.conversation import Conversation, Item, Kind

_SHOWN_APART = frozenset({"messages", "input", "instructions"})


class Endpoint(StrEnum):
    """Which of the two interfaces of the model was used."""

    CHAT = "chat.completions"
    RESPONSES = "responses"


class BadRequest(Exception):
    """A request that the interface does not allow; `param` names the field."""

    status = 400

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class _Common(msgspec.Struct):
    """The fields that are read, as both interfaces have them; all others are let pass."""

    model: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    metadata: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    functions: list[dict[str, Any]] | None = None


class _Message(msgspec.Struct):
    role: str
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None


class _Chat(_Common, kw_only=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]


class _Responses(_Common, kw_only=True):
    input: str | list[str | dict[str, Any]] = ""
    instructions: str | list[dict[str, Any]] | None = None
    previous_response_id: str | None = None


class ModelRequest(msgspec.Struct, frozen=True):
    """A request. `digest` is of its bytes: the same request gives the same answer with the same ids."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    digest: str
    conversation: Conversation
    who: Caller
    offered: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.body.get("model") or "scripted")

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.body.get("stream"))

    @property
    def parallel(self) -> bool:
        """Whether several tools may be called at once."""
        return self.body.get("parallel_tool_calls") is not False

    def include(self, name: str) -> bool:
        """Whether the request asks to `include` something (Responses)."""
        return name in (self.body.get("include") or ())


def read_chat(raw: bytes, headers: Mapping[str, str]) -> ModelRequest:
    """Read a Chat Completions request. Raises `BadRequest`."""
    body = _decode(raw, _Chat)
    return _request(Endpoint.CHAT, raw, body, headers, conversation.of_chat(body["messages"]))


def read_responses(
    raw: bytes, headers: Mapping[str, str], continued: Callable[[str], Sequence[Item] | None]
) -> ModelRequest:
    """Read a Responses request. `continued` gives the items of an earlier response. Raises `BadRequest`."""
    body = _decode(raw, _Responses)
    earlier: Sequence[Item] | None = None
    if body.get("previous_response_id"):
        earlier = continued(body["previous_response_id"])
        if earlier is None:
            message = f"Previous response with id '{body['previous_response_id']}' not found."
            raise BadRequest(message, param="previous_response_id", code="previous_response_not_found")
    instructions = conversation.text_of(body.get("instructions"))
    items = [Item("system", instructions)] if instructions else []
    items += [*(earlier or ()), *conversation.of_responses(body.get("input"))]
    return _request(Endpoint.RESPONSES, raw, body, headers, items)


def _decode(raw: bytes, fields: type[_Common]) -> dict[str, Any]:
    try:
        msgspec.json.decode(raw, type=fields)
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError as error:
        _, _, path = str(error).partition(" - at `$")
        raise BadRequest(str(error), param=path.rstrip("`").lstrip(".") or None) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error


def _request(
    endpoint: Endpoint, raw: bytes, body: dict[str, Any], headers: Mapping[str, str], items: list[Item]
) -> ModelRequest:
    fields: dict[str, Any] = {name: body[name] for name in ("user", "safety_identifier") if name in body}
    # Where else words of a user may stand, such as descriptions of tools: shown only where they do.
    for name, value in body.items():
        if name not in _SHOWN_APART:
            text = msgspec.json.encode(value)
            if any(canary.find(text)):
                items.append(Item(name, text.decode(), Kind.OTHER))
    return ModelRequest(
        endpoint=endpoint,
        body=body,
        digest=hashlib.blake2b(raw, digest_size=12).hexdigest(),
        conversation=Conversation(tuple(items)),
        who=caller(headers, body.get("metadata"), fields),
        offered=tuple(_offered(body)),
    )


def _offered(body: Mapping[str, Any]) -> list[str]:
    tools = [*(body.get("tools") or ()), *(body.get("functions") or ())]
    described = [tool["function"] if isinstance(tool.get("function"), dict) else tool for tool in tools]
    return [str(tool["name"]) for tool in described if tool.get("name")]

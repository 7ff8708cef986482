"""What AG-UI clients send: `RunAgentInput` (AG-UI 1.0, sdk/js/core/types), decoded."""

from typing import Any

import msgspec

from reference_impl.errors import InvalidIdentity, Refusal
from reference_impl.messages import RequestContext, RunRequest, decode_body


class InputPart(msgspec.Struct, frozen=True):
    """A part of a message; only text is understood."""

    type: str
    text: str = ""


class InputMessage(msgspec.Struct, frozen=True):
    """A message of the thread as the client knows it."""

    id: str
    role: str
    content: str | list[InputPart] | None = None

    @property
    def text(self) -> str:
        """What the message says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class RunAgentInput(msgspec.Struct, frozen=True, rename="camel"):
    """A wish for a run. The client names thread and run; what it says of users is never looked at (ACC-03)."""

    thread_id: str
    run_id: str
    messages: list[InputMessage]
    state: Any = None
    tools: list[Any] = []
    context: list[Any] = []
    forwarded_props: Any = None


_inputs = msgspec.json.Decoder(RunAgentInput)


def decode_input(body: bytes, *, traceparent: str | None = None) -> RunRequest:
    """The run that a body asks for: the newest message is the user's. Raises Refusal `bad_json` or `bad_message`."""
    wish = decode_body(_inputs, body)
    said = [message for message in wish.messages if message.role == "user"]
    if not said:
        raise Refusal.bad_message("messages: one of the role user is needed.")
    try:
        context = RequestContext(
            request_id=wish.run_id, thread_id=wish.thread_id, owns_thread=True, traceparent=traceparent
        )
    except InvalidIdentity as error:
        name = {"request_id": "runId", "thread_id": "threadId"}
        field, _, rest = str(error).partition(" ")
        raise Refusal.bad_message(f"{name.get(field, field)} {rest}") from None
    return RunRequest(said[-1].text, None, context)

"""The UI message stream of Vercel's AI SDK (ai-sdk.dev/docs/ai-sdk-ui/stream-protocol), version 1. Sans-IO."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Turn
from conformance.dialects.vercel_ui.decoder import VercelUiDecoder
from conformance.events import TextDelta
from conformance.history.operations import Action, Asked


class VercelUi(Dialect):
    """The dialect `vercel-ui`: a request is one POST as `useChat` sends it, its answer a stream of parts.

    Neither a run nor a user has an id in it. A thread is the `id` of the chat, which the client names and no part
    repeats; the client sends the whole conversation each time.
    """

    name = "vercel-ui"
    transport = "http"
    implied = frozenset({"text_stream", "threads"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new response."""
        return VercelUiDecoder()

    def new_thread(self, request_id: str) -> str:
        """Return the id of a new chat."""
        return f"chat-{request_id}"

    def request(self, asked: Asked, text: str) -> str:
        """Return the body that asks for an answer, as `DefaultChatTransport` writes it; all else is `text` as it is."""
        return self._body(asked, text, ()) if asked.action in (Action.START, Action.CONTINUE) else text

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the one exchange that asks for an answer."""
        if asked.action in (Action.START, Action.CONTINUE):
            yield Exchange(url=url, body=self._body(asked, text, earlier))
        else:
            yield from super().exchanges(url, asked, text, earlier)

    def _body(self, asked: Asked, text: str, earlier: Sequence[Turn]) -> str:
        body: dict[str, Any] = {**(asked.planted or {})}
        if asked.impersonates:
            body |= {"userId": asked.impersonates, "user_id": asked.impersonates}
        before = [message for turn in earlier for message in _messages(turn)]
        body |= {
            "id": asked.thread_id or self.new_thread(asked.request_id or ""),
            "messages": [*before, _message(f"message-{asked.request_id}", "user", text)],
            "trigger": "submit-message",
        }
        return msgspec.json.encode(body).decode()


def _message(identifier: str, role: str, text: str) -> dict[str, Any]:
    return {"id": identifier, "role": role, "parts": [{"type": "text", "text": text}]}


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    """Yield what was said in an earlier turn: by the user, and by the agent as far as its answer has come."""
    yield _message(f"message-{turn.asked.request_id}", "user", turn.text)
    decoder = VercelUiDecoder()
    events = [event for frame in turn.frames for event in decoder.decode(frame)]
    answer = "".join(event.payload.text for event in events if isinstance(event, TextDelta))
    if answer:
        yield _message(f"answer-{turn.asked.request_id}", "assistant", answer)


DIALECT = VercelUi()

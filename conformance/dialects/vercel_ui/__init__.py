"""The UI message stream of Vercel's AI SDK (ai-sdk.dev/docs/ai-sdk-ui/stream-protocol), version 1. Sans-IO."""

from typing import Any

import msgspec

from conformance.dialects.dialect import Decoder, Dialect
from conformance.dialects.vercel_ui.decoder import VercelUiDecoder
from conformance.history.operations import Action, Asked


class VercelUi(Dialect):
    """The dialect `vercel-ui`: a request is one POST as `useChat` sends it, its answer a stream of parts.

    Neither a run nor a user has an id in it. A thread is the `id` of the chat, which the client names and no part
    repeats.
    """

    name = "vercel-ui"
    transport = "http"
    implied = frozenset({"text_stream"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new response."""
        return VercelUiDecoder()

    def new_thread(self, request_id: str) -> str:
        """Return the id of a new chat."""
        return f"chat-{request_id}"

    def request(self, asked: Asked, text: str) -> str:
        """Return the body that asks for an answer, as `DefaultChatTransport` writes it; all else is `text` as it is."""
        if asked.action not in (Action.START, Action.CONTINUE):
            return text
        said = {"id": f"message-{asked.request_id}", "role": "user", "parts": [{"type": "text", "text": text}]}
        body: dict[str, Any] = {**(asked.planted or {})}
        if asked.impersonates:
            body |= {"userId": asked.impersonates, "user_id": asked.impersonates}
        body |= {
            "id": asked.thread_id or self.new_thread(asked.request_id or ""),
            "messages": [said],
            "trigger": "submit-message",
        }
        return msgspec.json.encode(body).decode()


DIALECT = VercelUi()

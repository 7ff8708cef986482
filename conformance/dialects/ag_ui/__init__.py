"""AG-UI, the Agent User Interaction Protocol, over server-sent events (https://docs.ag-ui.com). Sans-IO."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from conformance.dialects.ag_ui.conversation import conversation, question
from conformance.dialects.ag_ui.decoder import AgUiDecoder
from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Turn
from conformance.history.operations import Action, Asked


class AgUi(Dialect):
    """The dialect `ag-ui`: a request is one POST with a `RunAgentInput`, its answer a stream of events."""

    name = "ag-ui"
    transport = "http"
    piece = '"TEXT_MESSAGE_CONTENT"'
    malformed: ClassVar[Mapping[str, str]] = {
        **Dialect.malformed,
        "no messages": '{"threadId": "thread-malformed", "runId": "run-malformed", "state": {}}',
        "messages that are no list": '{"threadId": "thread-malformed", "runId": "run-malformed", "messages": "hello"}',
        "ids of wrong types": '{"threadId": 7, "runId": {}, "messages": []}',
        "deep nesting": '{"threadId": ' + "[" * 2000 + "]" * 2000 + "}",
    }
    intrinsic = frozenset({"ag_ui"})
    tells_tool_failures = False
    implied = frozenset({"threads"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new stream."""
        return AgUiDecoder()

    def new_thread(self, request_id: str) -> str:
        """Return a thread's id: AG-UI's clients name threads and runs."""
        return f"thread-{request_id}"

    def request(self, asked: Asked, text: str) -> str:
        """Return the body that asks for a run (AG-UI: sdk/js/core/types, RunAgentInput); the ids are the client's.

        AG-UI can ask for nothing but a run: what else is asked is `text` as it is.
        """
        return self._body(asked, text, ())

    def required(self, frame: str) -> Sequence[tuple[str, ...]]:
        """Return where a request must hold a text (AG-UI: sdk/js/core/types, RunAgentInput)."""
        return [("threadId",), ("runId",)]

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the one POST that asks for a run, with the whole conversation; AG-UI knows no other request."""
        if asked.action in (Action.STOP, Action.RESUME, Action.READ, Action.PING):
            return
        yield Exchange(url=url, body=self._body(asked, text, earlier))

    def _body(self, asked: Asked, text: str, earlier: Sequence[Turn]) -> str:
        if asked.action not in (Action.START, Action.CONTINUE):
            return text
        planted: dict[str, Any] = {**(asked.planted or {})}
        if asked.impersonates:
            planted |= {"userId": asked.impersonates, "user_id": asked.impersonates}
        body = {
            "threadId": asked.thread_id or self.new_thread(asked.request_id or ""),
            "runId": asked.request_id,
            "state": {},
            "messages": [*conversation(earlier), question(asked.request_id, text)],
            "tools": [],
            "context": [],
            "forwardedProps": planted,
        }
        return msgspec.json.encode(body).decode()


DIALECT = AgUi()

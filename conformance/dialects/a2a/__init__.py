"""A2A, the Agent2Agent protocol: JSON-RPC 2.0 over HTTP, streamed as server-sent events (https://a2a-protocol.org)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.dialects.a2a.decoder import CANCEL, A2aDecoder
from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Framing, Turn
from conformance.history.operations import Action, Asked


class A2a(Dialect):
    """The dialect `a2a`: the requests of release 1.0. Answers are read in the form of any release since 0.3.

    A run is a task: it is the server who names it and its context (the thread). It can be canceled, but not every agent
    can do that: a target that can declares `stop`. Nothing of a task that has been sent is sent again.
    """

    name = "a2a"
    transport = "http"
    intrinsic = frozenset({"run_ids", "json_answers"})
    implied = frozenset({"threads"})
    _stream, _cancel = "SendStreamingMessage", "CancelTask"
    _headers: tuple[tuple[str, str], ...] = (("A2A-Version", "1.0"),)

    def decoder(self) -> Decoder:
        """Return a decoder for a new response."""
        return A2aDecoder()

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the one request: a message to the agent, or what cancels a task."""
        if asked.action is Action.STOP:
            task_id = (asked.run_id or "").partition("#")[0]
            body = _call(f"{CANCEL}{asked.request_id or asked.ask}", self._cancel, {"id": task_id})
            yield Exchange(url=url, body=body, headers=self._headers, framing=Framing.WHOLE)
        elif asked.action not in (Action.RESUME, Action.READ, Action.PING):
            yield Exchange(url=url, body=self.request(asked, text), headers=self._headers)

    def request(self, asked: Asked, text: str) -> str:
        """Return the request that sends a message (A2A: SendStreamingMessage)."""
        if asked.action not in (Action.START, Action.CONTINUE):
            return text
        planted = {**(asked.planted or {}), **({"userId": asked.impersonates} if asked.impersonates else {})}
        message = {
            **self._said(text),
            "messageId": asked.request_id,
            **({"contextId": asked.thread_id} if asked.thread_id else {}),
            **({"metadata": planted} if planted else {}),
        }
        return _call(asked.request_id or "", self._stream, {"message": message})

    def _said(self, text: str) -> dict[str, Any]:
        return {"role": "ROLE_USER", "parts": [{"text": text}]}


def _call(request_id: str, method: str, params: dict[str, Any]) -> str:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).decode()


DIALECT = A2a()

"""LangGraph's Agent Server (`langgraph dev`, LangGraph Platform): threads, and runs streamed as server-sent events."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Framing, Turn
from conformance.dialects.langgraph.decoder import LangGraphDecoder
from conformance.history.operations import Action, Asked

_MODES = ("messages-tuple", "updates")


class LangGraph(Dialect):
    """The dialect `langgraph`. The target's URL is that of the server, with `/assistants/NAME` for a graph not `agent`.

    It is the client who names threads, by UUIDs. The graph's state is taken to have `messages`.
    """

    name = "langgraph"
    transport = "http"
    event_names = True
    intrinsic = frozenset({"run_ids", "run_access"})
    implied = frozenset({"threads", "stop"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new response."""
        return LangGraphDecoder()

    def new_thread(self, request_id: str) -> str:
        """Return a thread's id: a UUID, as the server demands."""
        return str(UUID(bytes=sha256(request_id.encode()).digest()[:16], version=4))

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield what creates the thread, where it is new, and what streams a run on it; or what cancels a run."""
        server, _, assistant = url.rstrip("/").partition("/assistants/")
        thread = asked.thread_id or self.new_thread(asked.request_id or "")
        runs = f"{server}/threads/{quote(thread, safe='')}/runs"
        match asked.action:
            case Action.START | Action.CONTINUE:
                if thread == self.new_thread(asked.request_id or ""):
                    body = _json({"thread_id": thread, "if_exists": "raise"})
                    yield Exchange(url=f"{server}/threads", body=body, framing=Framing.NONE)
                yield Exchange(url=f"{runs}/stream", body=_question(assistant or "agent", asked, text))
            case Action.STOP:
                run = quote(asked.run_id or "", safe="")
                yield Exchange(url=f"{runs}/{run}/cancel?wait=0", framing=Framing.NONE)
            case Action.GARBAGE | Action.UNKNOWN_TYPE | Action.OVERSIZE:
                yield Exchange(url=f"{server}/runs/stream", body=self.request(asked, text))
            case _:
                return

    def request(self, asked: Asked, text: str) -> str:
        """Return bad input as it is: what else is sent depends on the target's URL."""
        return text


def _question(assistant: str, asked: Asked, text: str) -> str:
    planted = {**(asked.planted or {}), **({"user_id": asked.impersonates} if asked.impersonates else {})}
    body: dict[str, Any] = {
        "assistant_id": assistant,
        "input": {"messages": [{"role": "user", "content": text}]},
        "stream_mode": _MODES,
        "stream_subgraphs": True,
        **({"metadata": planted} if planted else {}),
    }
    return _json(body)


def _json(body: Any) -> str:
    return msgspec.json.encode(body).decode()


DIALECT = LangGraph()

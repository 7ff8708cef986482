"""OpenAI's Responses interface, streamed (platform.openai.com/docs/api-reference/responses-streaming). Sans-IO."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Turn
from conformance.dialects.openai_responses.decoder import OpenAiResponsesDecoder
from conformance.history.operations import Action, Asked

_MODEL = "agent"


class OpenAiResponses(Dialect):
    """The dialect `openai-responses`: a request is one POST to `…/v1/responses`, its answer a stream of events.

    A run is a response, a thread a conversation that the server names. The model asked for is `model` in the query of
    the target's URL, else "agent".
    """

    name = "openai-responses"
    transport = "http"
    intrinsic = frozenset({"run_ids"})
    implied = frozenset({"text_stream"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new answer."""
        return OpenAiResponsesDecoder()

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the one exchange that asks for a response."""
        asks = asked.action in (Action.START, Action.CONTINUE)
        if asks or asked.action in (Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE):
            model = parse_qs(urlsplit(url).query).get("model", [_MODEL])[0]
            yield Exchange(url=url, body=_body(asked, text, model) if asks else text)

    def request(self, asked: Asked, text: str) -> str:
        """Return the body that asks for a response; other asks are `text` as it is."""
        return _body(asked, text, _MODEL) if asked.action in (Action.START, Action.CONTINUE) else text


def _body(asked: Asked, text: str, model: str) -> str:
    body: dict[str, Any] = {"model": model, "input": text, "stream": True}
    if asked.thread_id is not None:
        body["conversation"] = asked.thread_id
    if asked.planted:
        body["metadata"] = dict(asked.planted)
    if asked.impersonates:
        body["user"] = asked.impersonates
    return msgspec.json.encode(body).decode()


DIALECT = OpenAiResponses()

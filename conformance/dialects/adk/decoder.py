"""The decoder of ADK's events: one response of `/run_sse`, in order (ADK: Events; google.adk.events.Event).

Every event names its run (`invocationId`); none says that the run begins or ends. It begins with the first event and
ends with the response. Text that is streamed comes in `partial` events and then once more as a whole.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET

from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import Fields, describe
from conformance.dialects.outcome import failure
from conformance.dialects.telling import Teller, read_object
from conformance.events import Event, Flaw

_EARLIEST, _LATEST = 1e8, 1e11


class _Said:
    """What an author has streamed of the text that is to come as a whole: `text` or `thought`."""

    def __init__(self) -> None:
        self.text = ""
        self.thought = ""


class AdkDecoder(Decoder):
    """Decodes the frames of one run."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self._runs: dict[str | None, Teller] = {}
        self._streamed: dict[str, _Said] = {}
        self._answer = ""
        self._failure: tuple[str | None, str | None] | None = None
        self._long_running: set[str] = set()

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, preceded by what is wrong with its form."""
        told: list[Event] = []
        self._told = told
        frame = read_object(raw, told)
        if frame is not None:
            if "error" in frame and "invocationId" not in frame:
                self._broke(frame)
            else:
                self._event(frame)
        return told

    def closed(self) -> Sequence[Event]:
        """The response is over, and so is the run."""
        told: list[Event] = []
        self._told = told
        for run in self._runs.values():
            run.told, run.stamp = told, None
            if not run.ended:
                self._end(run)
        return told

    def _end(self, run: Teller) -> None:
        deferred = sorted(run.waiting & self._long_running)
        for call_id in deferred:
            run.defer(call_id)
        if self._failure is not None:
            run.fail(*self._failure)
        elif deferred and not self._answer.strip():
            run.stop("waits for a long-running tool")
        else:
            run.complete(self._answer + "".join(said.text for said in self._streamed.values()))

    def _broke(self, frame: dict[str, Any]) -> None:
        """The server caught an exception; where the run had told of it, that is the same failure."""
        fields = Fields(frame)
        message = fields.typed("error", str)
        details = frame.get("error_details")
        code = details.get("error_type") if isinstance(details, dict) else None
        known = self._failure or (code if isinstance(code, str) else "error", message)
        self._told += fields.flaws
        run = next(reversed(self._runs.values()), None) or self._begin(None)
        run.told, run.stamp = self._told, None
        run.fail(*known)

    def _event(self, frame: dict[str, Any]) -> None:
        fields = Fields(frame)
        author = fields.typed("author", str) or ""
        fields.typed("id", str)
        run_id = frame.get("invocationId", UNSET)
        if not isinstance(run_id, str) or not run_id:
            fields.flaws.append(Flaw("IDN-01", "invocationId", "a non-empty string", describe(run_id)))
            run_id = None
        stamp = _time(fields)
        content = frame.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        if content is not None and not isinstance(content, dict):
            fields.flaws.append(Flaw("SCH-02", "content", "an object", describe(content)))
        if parts is not None and not isinstance(parts, list):
            fields.flaws.append(Flaw("SCH-02", "content.parts", "an array", describe(parts)))
            parts = None
        self._told += fields.flaws
        run = self._runs.get(run_id)
        if run is None:
            run = self._begin(run_id)
        # events of branches that run side by side are not in the order of their times
        run.told, run.stamp = self._told, None if frame.get("branch") else stamp
        before = len(self._told)
        waits = frame.get("longRunningToolIds")
        self._long_running.update(w for w in waits if isinstance(w, str)) if isinstance(waits, list) else None
        self._parts(run, [part for part in parts or () if isinstance(part, dict)], author, frame)
        if len(self._told) == before:
            run.other("event")
        self._fault(frame)

    def _begin(self, run_id: str | None) -> Teller:
        run = self._runs[run_id] = Teller(self._told, "adk", run_id)
        run.start()
        return run

    def _fault(self, frame: dict[str, Any]) -> None:
        """An agent's failure is the run's, unless others go on after it."""
        code, message = frame.get("errorCode"), frame.get("errorMessage")
        if code is None and message is None:
            self._failure = None if frame.get("content") else self._failure
            return
        words = message if isinstance(message, str) and message else None
        self._failure = (str(code) if code else "error", words or (str(code) if code else None))

    def _parts(self, run: Teller, parts: list[dict[str, Any]], author: str, frame: dict[str, Any]) -> None:
        if author == "user":
            return
        partial = frame.get("partial") is True
        said = self._streamed.setdefault(author, _Said())
        for thought in (True, False):
            text = "".join(
                t for p in parts if isinstance(t := p.get("text"), str) and (p.get("thought") is True) == thought
            )
            if text:
                self._text(run, said, text, thought=thought, partial=partial)
        for number, part in enumerate(parts):
            call, response = part.get("functionCall"), part.get("functionResponse")
            if isinstance(call, dict) and not partial:
                self._call(run, call, f"{frame.get('id')}/{number}")
            elif isinstance(response, dict):
                self._response(run, response)

    def _text(self, run: Teller, said: _Said, text: str, *, thought: bool, partial: bool) -> None:
        tell = run.thought if thought else run.text
        before = said.thought if thought else said.text
        if partial or not before:
            tell(text)
        elif text.startswith(before):
            tell(text[len(before) :])
        streamed = before + text if partial else ""
        if thought:
            said.thought = streamed
        else:
            said.text = streamed
            self._answer += "" if partial else text

    def _call(self, run: Teller, call: dict[str, Any], place: str) -> None:
        fields = Fields(call, prefix="functionCall.")
        name = fields.typed("name", str) or ""
        args = call.get("args")
        if args is not None and not isinstance(args, dict):
            fields.flaws.append(Flaw("SCH-02", "functionCall.args", "an object", describe(args)))
        self._told += fields.flaws
        call_id = call.get("id")
        run.call(call_id if isinstance(call_id, str) and call_id else place, name, {} if args is None else args)

    def _response(self, run: Teller, response: dict[str, Any]) -> None:
        fields = Fields(response, prefix="functionResponse.")
        name, result = fields.typed("name", str), response.get("response")
        if result is not None and not isinstance(result, dict):
            fields.flaws.append(Flaw("SCH-02", "functionResponse.response", "an object", describe(result)))
        self._told += fields.flaws
        call_id = response.get("id")
        if not isinstance(call_id, str) or not call_id:  # a call without an id: the first of that tool's still open
            call_id = next((c for c, other in run.calls.items() if c in run.waiting and other == name), "")
        run.outcome(call_id, name, result=_unwrapped(result), error=_error(result))


def _time(fields: Fields) -> datetime | None:
    """Return the moment of an event, which is in seconds since 1970."""
    value = fields.data.get("timestamp", UNSET)
    if value is UNSET:
        fields.flaws.append(Flaw("SCH-02", "timestamp", "a number of seconds since 1970", "missing"))
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and _EARLIEST <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    fields.flaws.append(Flaw("SCH-03", "timestamp", "seconds since 1970, e.g. 1769851800.125", describe(value)))
    return None


def _unwrapped(response: Any) -> Any:
    """Return what a tool returned: ADK puts what is no object into one, as `result`."""
    return response["result"] if isinstance(response, dict) and response.keys() == {"result"} else response


def _error(response: Any) -> str | None:
    """Return why a tool failed, where its response says so: ADK has no field of its own for it."""
    result = _unwrapped(response)
    return failure(result if isinstance(result, str) else msgspec.json.encode(result).decode())

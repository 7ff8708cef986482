"""The decoder of Chainlit's events: one socket.io connection, in order (chainlit: emitter.py, step.py, message.py).

A run is the step of type `run` that answers a message of the user's: it names that message as its parent. It ends when
it is updated with an end. Everything else belongs to the run that its parents lead to; where they lead nowhere, to the
newest run.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.chainlit.ids import request_id_of
from conformance.dialects.chainlit.packets import OPEN, read_packet
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import Fields, describe
from conformance.dialects.telling import Teller
from conformance.events import Event, Flaw
from conformance.recent import Recent

_REMEMBERED = 4_096
_STEPS = frozenset({"new_message", "update_message", "stream_start", "delete_message"})
_GREETING = "clear_call_fn"


class _Step:
    """A step or message as it is known: its run, its text so far, and how far it has been told."""

    def __init__(self, kind: str, run: Teller) -> None:
        self.kind = kind
        self.run = run
        self.text = ""
        self.told = False


class ChainlitDecoder(Decoder):
    """Decodes the frames of one connection."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self._run: Teller | None = None
        self._steps: Recent[str, _Step] = Recent(_REMEMBERED)
        self._greeted = False
        self._limit: int | None = None

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, preceded by what is wrong with its form."""
        told: list[Event] = []
        self._told = told
        emitted = read_packet(raw, told)
        if emitted is None:
            return told
        before = len(told)
        if emitted.name in _STEPS:
            self._step(emitted.name, emitted.data)
        elif emitted.name == "stream_token":
            self._token(emitted.data)
        elif emitted.name == _GREETING and not self._greeted:
            self._greeted = True
            told.append(events.Ready(message_bytes=self._limit))
        elif emitted.name == OPEN:
            limit = emitted.data.get("maxPayload")
            self._limit = limit if isinstance(limit, int) else None
        if len(told) == before:
            told.append(events.Unknown(emitted.name if emitted.name == OPEN else f"chainlit:{emitted.name}"))
        return told

    # -- steps and messages ---------------------------------------------------------------------------------------

    def _step(self, event: str, data: Any) -> None:
        if not isinstance(data, dict):
            self._told.append(Flaw("SCH-02", event, "an object", describe(data)))
            return
        fields = Fields(data, prefix=f"{event}.")
        step_id, kind = fields.typed("id", str), fields.typed("type", str)
        self._told += fields.flaws
        if step_id is None or kind is None or event == "delete_message":
            return
        step = self._steps.get(step_id)
        if step is None:
            step = self._new(step_id, kind, data)
            if step is None:
                return
        step.run.told = self._told
        if kind == "run" and step.run.run_id == step_id:
            self._run_step(step, data)
        elif kind == "tool":
            self._tool(step, step_id, data)
        elif kind.endswith("_message"):
            self._message(step, kind, data)
        else:
            self._thought(step, data)

    def _new(self, step_id: str, kind: str, data: dict[str, Any]) -> _Step | None:
        """Place a step that was not seen before; None where it belongs to no run."""
        parent = data.get("parentId")
        if kind == "run" and isinstance(parent, str) and self._steps.get(parent) is None:
            thread = data.get("threadId")
            run = self._run = Teller(self._told, "chainlit", step_id, thread if isinstance(thread, str) else None)
        else:
            above = self._steps.get(parent) if isinstance(parent, str) else None
            found = above.run if above is not None else self._run
            if found is None or (above is None and found.ended):
                return None  # what a server says by itself, when a chat begins or after all runs
            run = found
        step = _Step(kind, run)
        self._steps.add(step_id, step)
        return step

    def _run_step(self, step: _Step, data: dict[str, Any]) -> None:
        run = step.run
        run.stamp = _time(data.get("start"))
        if not step.told:
            step.told = True
            run.start(request_id_of(data.get("parentId")))
        if data.get("end") is not None and not run.ended:
            run.stamp = _time(data.get("end"))
            output = data.get("output")
            if data.get("isError") is not True:
                run.complete()
            elif isinstance(output, str) and output:
                run.fail("error", output)
            else:
                run.stop("stopped")
        run.stamp = None

    def _tool(self, step: _Step, step_id: str, data: dict[str, Any]) -> None:
        name, output, failed = data.get("name"), data.get("output"), data.get("isError") is True
        named = name if isinstance(name, str) else ""
        if step_id not in step.run.calls:
            step.run.call(step_id, named, _parameters(data.get("input")))
        if step.told or not (data.get("end") is not None or output or failed):
            return
        step.told = True
        said = output if isinstance(output, str) else describe(output)
        if failed:
            step.run.outcome(step_id, named, error=said or "error")
        else:
            step.run.outcome(step_id, named, result=said)

    def _thought(self, step: _Step, data: dict[str, Any]) -> None:
        """Any other step is a link of what Chainlit calls the chain of thought."""
        output, name = data.get("output"), data.get("name")
        if isinstance(output, str) and output.startswith(step.text):
            step.run.thought(output[len(step.text) :], name if isinstance(name, str) else None)
            step.text = output

    def _message(self, step: _Step, kind: str, data: dict[str, Any]) -> None:
        """A message as it is now: what has come of it already is not told again; an application may rewrite it."""
        output = data.get("output")
        if kind == "assistant_message" and isinstance(output, str) and output.startswith(step.text):
            step.run.text(output[len(step.text) :])
            step.text = output

    def _token(self, data: Any) -> None:
        fields = Fields(data if isinstance(data, dict) else {}, prefix="stream_token.")
        step_id, token = fields.typed("id", str), fields.typed("token", str)
        self._told += fields.flaws
        step = self._steps.get(step_id) if step_id is not None else None
        if step is None or token is None or step.kind == "tool" or fields.data.get("isInput") is True:
            return
        step.run.told = self._told
        said = {"output": token if fields.data.get("isSequence") is True else step.text + token}
        if step.kind.endswith("_message"):
            self._message(step, step.kind, said)
        else:
            self._thought(step, said)


def _parameters(value: Any) -> Any:
    """Return a tool's input: the object that it is in JSON, else what it is."""
    if not isinstance(value, str) or not value.strip():
        return {}
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value


def _time(value: Any) -> datetime | None:
    try:
        moment = msgspec.convert(value, datetime) if isinstance(value, str) else UNSET
    except msgspec.ValidationError:
        return None
    return moment if isinstance(moment, datetime) and moment.tzinfo is not None else None

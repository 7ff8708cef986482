"""The decoder of A2A: the answer to one `message/stream` or `SendStreamingMessage`, in order.

A run is what comes of one message of the user's: a task, or one more turn of it; or a single message of the agent's.
It begins with the first thing that tells of it, and ends with a state of the task that is final, or with the response
while the task waits for the user. A2A knows no tools.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from conformance import events
from conformance.dialects.a2a.forms import (
    Update,
    context_of,
    is_update,
    read_update,
    state_of,
    text_of,
    time_of,
    turns_of,
)
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import Fields, describe
from conformance.dialects.telling import Teller, read_object
from conformance.events import Event, Flaw

CANCEL = "cancel:"
_WAITING = frozenset({"input-required", "auth-required"})


class A2aDecoder(Decoder):
    """Decodes the frames of one response."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self._run: Teller | None = None
        self._request_id: str | None = None
        self._artifacts: dict[str, str] = {}
        self._progress: list[str] = []
        self._waits: str | None = None

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, preceded by what is wrong with its form."""
        told: list[Event] = []
        self._told = told
        frame = read_object(raw, told)
        if frame is None:
            return told
        if is_update(frame):
            self._result(frame)
        else:
            self._response(frame)
        return told

    def closed(self) -> Sequence[Event]:
        """The response is over: a run that waits for the user ends with it."""
        told: list[Event] = []
        run = self._run
        if run is not None and not run.ended and self._waits is not None:
            run.told, run.stamp = told, None
            run.stop(self._waits)
        return told

    def _response(self, frame: dict[str, Any]) -> None:
        """A JSON-RPC 2.0 response: with a result or an error, under the id of the request."""
        fields = Fields(frame)
        if frame.get("jsonrpc") != "2.0":
            fields.flaws.append(Flaw("SCH-02", "jsonrpc", '"2.0"', describe(frame.get("jsonrpc", UNSET))))
        request_id = fields.typed("id", str | int | None)
        self._request_id = request_id if isinstance(request_id, str) else None
        result, error = frame.get("result", UNSET), frame.get("error", UNSET)
        if isinstance(error, dict):
            self._told += fields.flaws
            self._error(Fields(error, prefix="error."))
        elif isinstance(result, dict):
            self._told += fields.flaws
            if self._request_id is not None and self._request_id.startswith(CANCEL):
                self._told.append(events.Unknown("a2a:cancel"))
            else:
                self._result(result)
        else:
            name, value = ("error", error) if error is not UNSET else ("result", result)
            fields.flaws.append(Flaw("SCH-02", name, "an object", describe(value)))
            self._told += [*fields.flaws, events.Unknown("a2a:response")]

    def _error(self, error: Fields) -> None:
        code, message = error.typed("code", int), error.typed("message", str)
        self._told += error.flaws
        name = None if code is None else str(code)
        run = self._run
        if run is None or run.ended:
            request_id = self._request_id.removeprefix(CANCEL) if self._request_id is not None else None
            self._told.append(events.Refusal(name, message, request_id))
        else:
            run.told, run.stamp = self._told, None
            run.fail(name, message)

    def _result(self, result: dict[str, Any]) -> None:
        flaws: list[Flaw] = []
        update = read_update(result, flaws)
        self._told += flaws
        if update is None:
            self._told.append(events.Unknown("a2a:result"))
        elif update.kind == "message":
            self._message(update)
        else:
            self._task(update)

    # -- a message instead of a task ----------------------------------------------------------------------------------

    def _message(self, update: Update) -> None:
        """The agent's whole answer; where a task is there already, something that it says beside it."""
        fields = update.fields
        message_id, context = fields.typed("messageId", str), context_of(update)
        text = text_of(fields.data, fields.flaws, place="result")
        self._told += fields.flaws
        if self._run is not None:
            self._run.told = self._told
            self._run.thought(text) if text.strip() else self._run.other("message")
            return
        run = self._begin(message_id, context)
        run.text(text)
        run.complete()

    def _begin(self, run_id: str | None, context: str | None) -> Teller:
        run = self._run = Teller(self._told, "a2a", run_id, context)
        run.start(self._request_id)
        return run

    # -- a task -------------------------------------------------------------------------------------------------------

    def _task(self, update: Update) -> None:
        fields, kind = update.fields, update.kind
        name = "id" if kind == "task" else "taskId"
        task_id, context = fields.data.get(name, UNSET), context_of(update)
        if not isinstance(task_id, str) or not task_id:
            fields.flaws.append(Flaw("IDN-01", f"result.{name}", "a non-empty string", describe(task_id)))
            task_id = None
        run = self._run
        begins = run is None or (task_id is not None and run.run_id is not None and _task_of(run.run_id) != task_id)
        if run is None or begins:
            turns = turns_of(fields.data.get("history"))
            run = self._begin(f"{task_id}#{turns}" if task_id is not None and turns > 1 else task_id, context)
        run.told, run.stamp = self._told, None
        before = len(self._told)
        over = run.ended and kind == "task"
        if kind != "status" and not over:
            self._artifacts_of(update, run)
        status, state = self._status_of(update) if kind != "artifact" else (None, None)
        self._told += fields.flaws
        if status is not None and state is not None and not over:
            self._status(update, run, status, state)
        if over:
            self._told.append(events.Unknown("a2a:task"))  # the task once more, as it is now
        elif len(self._told) == before and not begins:
            run.other(kind)

    def _artifacts_of(self, update: Update, run: Teller) -> None:
        fields = update.fields
        if update.kind == "artifact":
            artifact = fields.typed("artifact", dict[str, Any])
            found = [artifact] if artifact is not None else []
        else:
            listed = fields.data.get("artifacts")
            found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        for artifact in found:
            named = Fields(artifact, prefix="artifact.")
            artifact_id = named.typed("artifactId", str) or ""
            text = text_of(artifact, named.flaws, place="artifact")
            fields.flaws += named.flaws
            self._artifact(run, artifact_id, text, append=fields.data.get("append") is True)

    def _artifact(self, run: Teller, artifact_id: str, text: str, *, append: bool) -> None:
        """A piece of an artifact, or the whole of it: of which what has come already is not told again."""
        known = self._artifacts.get(artifact_id, "")
        if append:
            text = known + text
        self._artifacts[artifact_id] = text
        if text.startswith(known):
            run.text(text[len(known) :])

    def _status_of(self, update: Update) -> tuple[Fields | None, str | None]:
        fields = update.fields
        found = fields.typed("status", dict[str, Any])
        if update.tagged and update.kind == "status":
            fields.typed("final", bool)
        if found is None:
            return None, None
        status = Fields(found, prefix="status.")
        state = state_of(status)
        moment = time_of(status, tagged=update.tagged)
        if update.kind == "status" and self._run is not None:
            self._run.stamp = moment  # the status within a task may be of an earlier turn
        fields.flaws += status.flaws
        return status, state

    def _status(self, update: Update, run: Teller, status: Fields, state: str) -> None:
        message = status.data.get("message")
        text = text_of(message, [], place="status.message") if isinstance(message, dict) else ""
        self._waits = state if state in _WAITING else None
        match state:
            case "completed":
                self._completed(run, text)
            case "failed" | "rejected":
                run.fail(state, text or None)
            case "canceled":
                run.stop(state)
            case _:
                if text:
                    self._progress.append(text)
                    run.thought(text)
                if update.fields.data.get("final") is True:
                    run.stop(state)

    def _completed(self, run: Teller, text: str) -> None:
        """The answer is in artifacts or in the last message; an agent may also have said all of it on its way."""
        if not run.pieces:
            run.text(text)
        run.complete(None if run.pieces else "".join(self._progress))


def _task_of(run_id: str) -> str:
    return run_id.partition("#")[0]

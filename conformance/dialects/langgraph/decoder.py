"""The decoder of LangGraph's streams: the answer to one `runs/stream`, in order (LangGraph: Streaming API).

What a frame is stands in the name of its server-sent event, with the namespace of a subgraph behind `|`. `metadata`
names the run and begins it; a run that fails says `error`; else the end of the response is its end (older servers say
`end` before). What the user sees is in messages; which of them come, and how often, depends on the modes asked for.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from conformance import events
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import Fields, describe, shorten
from conformance.dialects.langgraph.messages import Messages
from conformance.dialects.telling import Teller, read_json
from conformance.events import Event, Flaw

_MODES = frozenset(
    {
        "checkpoints",
        "custom",
        "debug",
        "events",
        "feedback",
        "heartbeat",
        "input",
        "lifecycle",
        "messages/metadata",
        "state",
        "state_update",
        "tasks",
        "tools",
    }
)
_INTERRUPT = "__interrupt__"


class LangGraphDecoder(Decoder):
    """Decodes the frames of one response."""

    def __init__(self) -> None:
        self._told: list[Event] = []
        self._run: Teller | None = None
        self._messages = Messages()
        self._interrupted = False
        self._quiet = True

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, preceded by what is wrong with its form."""
        told: list[Event] = []
        self._told = told
        head, _, data = raw.partition(b"\ndata: ")
        if not head.startswith(b"event: "):
            told.append(Flaw("SCH-02", "event", "a server-sent event with a name, e.g. values", shorten(raw)))
            return told
        name = head[7:].decode(errors="replace")
        value = read_json(data, told)
        if value is not UNSET:
            self._event(name.partition("|")[0], value)
        return told

    def closed(self) -> Sequence[Event]:
        """The response is over, and so is the run."""
        told: list[Event] = []
        self._told = told
        if self._run is not None:
            self._finish(self._run)
        return told

    def _event(self, name: str, value: Any) -> None:
        if name == "metadata":
            self._metadata(value)
            return
        run = self._run
        if run is None:
            if name == "end":
                return
            run = self._begin(None)  # a client that joined a run that was under way
        run.told = self._told
        before = len(self._told)
        self._content(run, name, value)
        if len(self._told) == before:
            run.other(name)

    def _metadata(self, value: Any) -> None:
        """A run begins, or begins once more after its worker was lost."""
        if not isinstance(value, dict):
            self._told.append(Flaw("SCH-02", "metadata", "an object", describe(value)))
            return
        run_id = value.get("run_id", UNSET)
        if not isinstance(run_id, str) or not run_id:
            self._told.append(Flaw("IDN-01", "run_id", "a non-empty string", describe(run_id)))
            run_id = None
        run = self._run
        if run is not None and run.run_id == run_id:
            run.told = self._told
            run.other("metadata")
            return
        if run is not None and not run.ended:
            self._finish(run)
        self._begin(run_id)

    def _begin(self, run_id: str | None) -> Teller:
        run = self._run = Teller(self._told, "langgraph", run_id)
        run.start()
        self._messages, self._interrupted, self._quiet = Messages(), False, True
        return run

    def _finish(self, run: Teller) -> None:
        run.told = self._told
        if run.ended:
            return
        waits = sorted(run.waiting)
        for call_id in waits:
            run.defer(call_id)
        if self._interrupted:
            run.stop("interrupt")
        elif waits or self._messages.under_way or self._quiet:
            run.stop("ended in the middle")  # as it does when it is cancelled: no frame says so
        else:
            run.complete()

    # -- what frames hold -----------------------------------------------------------------------------------------

    def _content(self, run: Teller, name: str, value: Any) -> None:
        match name:
            case "values":
                self._values(run, value)
            case "updates":
                self._updates(run, value)
            case "messages":
                self._tuple(run, value)
            case "messages/partial" | "messages/complete":
                self._list(run, name, value)
            case "error":
                self._error(run, value)
            case "end":
                self._finish(run)
            case _ if name not in _MODES:
                self._told.append(events.Unknown(name))

    def _values(self, run: Teller, state: Any) -> None:
        """The whole state: the first one, where nothing has come before, is what the run finds."""
        if not isinstance(state, dict):
            return
        messages = state.get("messages")
        if self._quiet:
            self._messages.known(messages)
        else:
            self._whole(run, messages)
        self._quiet = False
        self._interrupts(state)

    def _updates(self, run: Teller, update: Any) -> None:
        """What each node of a step has added."""
        self._quiet = False
        if not isinstance(update, dict):
            self._told.append(Flaw("SCH-02", "updates", "an object with the nodes' updates", describe(update)))
            return
        self._interrupts(update)
        for added in update.values():
            for one in added if isinstance(added, list) else [added]:
                if isinstance(one, dict):
                    self._whole(run, one.get("messages"))

    def _whole(self, run: Teller, messages: Any) -> None:
        for message in messages if isinstance(messages, list) else [messages]:
            self._messages.whole(run, message, self._told)

    def _tuple(self, run: Teller, value: Any) -> None:
        self._quiet = False
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, dict) for part in value):
            self._told.append(Flaw("SCH-02", "messages", "[message, metadata]", describe(value)))
            return
        message, metadata = value
        thread_id = metadata.get("thread_id")
        if run.thread_id is None and isinstance(thread_id, str):
            run.thread_id = thread_id
        self._messages.piece(run, message, self._told)

    def _list(self, run: Teller, name: str, value: Any) -> None:
        self._quiet = False
        if not isinstance(value, list):
            self._told.append(Flaw("SCH-02", name, "an array of messages", describe(value)))
            return
        tell = self._messages.whole if name == "messages/complete" else self._messages.partial
        for message in value:
            tell(run, message, self._told)

    def _interrupts(self, state: dict[str, Any]) -> None:
        self._interrupted = self._interrupted or bool(state.get(_INTERRUPT))

    def _error(self, run: Teller, value: Any) -> None:
        if isinstance(value, str):
            run.fail("error", value)
            return
        if not isinstance(value, dict):
            self._told.append(Flaw("SCH-02", "error", "an object {error, message}", describe(value)))
            value = {}
        fields = Fields(value, prefix="error.")
        code, message = fields.typed("error", str), fields.typed("message", str)
        self._told += fields.flaws
        run.fail(code, message)

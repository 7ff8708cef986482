"""AG-UI histories written by hand: one POST for each question, and its answer; every default is legal."""

import json
from typing import Any, Self

from conformance.history import operations as ops
from conformance.history.operations import Action, ClosedBy
from conformance.history.recorder import frame_operation
from tests.checks.histories import ALICE, History, Socket


def agui(**header: Any) -> History:
    """Return an empty history of a target that speaks AG-UI."""
    return History(dialect="ag-ui", **header)


class Exchange:
    """One POST that asks for a run, and its answer; run and thread have the names that the client gave.

    `credentials` and `expires_at` are those of the connection, all other `fields` those of the question.
    """

    def __init__(self, history: History, user: str | None = ALICE, **fields: Any) -> None:
        kept = {name: fields.pop(name) for name in ("credentials", "expires_at") if name in fields}
        ask = history.next_ask()
        self.history = history
        self.socket: Socket = history.connecting(
            user, url="http://target/agui", method="POST", accept="text/event-stream", ask=ask, **kept
        )
        run_id = f"run-{history.id()}"
        thread_id = f"thread-{run_id}"
        wanted = {"request_id": run_id, "thread_id": thread_id, "canary": history.canary(), **fields}
        self.asked = self.socket.asks(wanted.pop("action", Action.START), ask=ask, **wanted)
        history.add(frame_operation(ops.Sent, history.time(), self.socket.conn, json.dumps({"runId": run_id})))

    def begins(self, content_type: str = "text/event-stream") -> Self:
        """The answer begins."""
        self.socket.connected(200, content_type=content_type)
        return self

    def starts(self) -> Self:
        """The answer begins, and the run."""
        self.begins()
        self.tells("RUN_STARTED", **self._names())
        return self

    def tells(self, wire_type: str, **fields: Any) -> int:
        """An event of the run happens and arrives."""
        stamp = self.history.header.began_us // 1000 + int(self.history.now)
        return self.socket.receives({"type": wire_type, "timestamp": stamp, **fields})

    def says(self, text: str) -> None:
        """A message of one piece."""
        message = self.history.id()
        self.tells("TEXT_MESSAGE_START", messageId=message, role="assistant")
        self.tells("TEXT_MESSAGE_CONTENT", messageId=message, delta=text)
        self.tells("TEXT_MESSAGE_END", messageId=message)

    def calls(self, name: str, arguments: str, result: str, *, held_ms: float = 0, runs_ms: float = 0) -> None:
        """A call with its result; `held_ms` pass before TOOL_CALL_END, `runs_ms` after it."""
        call = self.history.id()
        self.tells("TOOL_CALL_START", toolCallId=call, toolCallName=name)
        self.tells("TOOL_CALL_ARGS", toolCallId=call, delta=arguments)
        self.history.after(held_ms)
        self.tells("TOOL_CALL_END", toolCallId=call)
        self.history.after(runs_ms)
        self.tells("TOOL_CALL_RESULT", messageId=self.history.id(), toolCallId=call, content=result)

    def finishes(self) -> None:
        """The run ends, and the body with it."""
        self.tells("RUN_FINISHED", **self._names())
        self.ends()

    def whole(self, text: str = "well") -> Self:
        """The run as it should be, to the end of the body."""
        self.starts()
        self.says(text)
        self.finishes()
        return self

    def ends(self, by: ClosedBy = ClosedBy.TARGET, reason: str = "") -> None:
        """The body ends."""
        self.socket.closed(by, None, reason)

    def _names(self) -> dict[str, Any]:
        return {"threadId": self.asked.thread_id, "runId": self.asked.request_id}

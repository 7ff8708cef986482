"""LIF, by what the witness recorded of a run whose client left while a tool ran."""

from typing import Any

import msgspec

from conformance import canary
from conformance.checks.check import Here, Unconcerned, ms, on
from conformance.history import operations as ops
from conformance.history.operations import CallEnd, ClosedBy
from conformance.story import Request


class LeftInATool(Unconcerned):
    """When its client leaves, a run is stopped with its tool, or goes on to its end: a tool alone does not go on."""

    decides = ("LIF-04",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._asks: dict[str, int] = {}
        self._left: dict[str, Here] = {}
        self._began: dict[int, tuple[Here, str]] = {}
        self._alone: dict[str, tuple[Here, Here, Here]] = {}

    @on(ops.Asked)
    def asked(self, op: ops.Asked) -> None:
        """Remember the runs that the kit means to leave."""
        if op.behaviour == "left" and op.canary is not None:
            self._asks[op.canary] = op.ask

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """The kit leaves."""
        for token in self._asks:
            request = self._request(token)
            if op.by is ClosedBy.KIT and request is not None and request.connection.number == op.conn:
                self._left[token] = self.here(op)

    @on(ops.ToolCallBegan)
    def began(self, op: ops.ToolCallBegan) -> None:
        """A tool of such a run begins, while the client is there."""
        told = set(canary.find(msgspec.json.encode(op.arguments)))
        token = told.pop() if len(told) == 1 else ""
        if token in self._asks and token not in self._left:
            self._began[op.call] = (self.here(op), token)

    @on(ops.ToolCallEnded)
    def ended(self, op: ops.ToolCallEnded) -> None:
        """The tool ends: with its run, or by itself, long after the client left."""
        began, token = self._began.pop(op.call, (None, ""))
        left = self._left.get(token)
        if began is None or left is None:
            return
        bounds = self.world.bounds
        if op.end is CallEnd.CLIENT_GONE:
            self.exercised["LIF-04"] += 1
        elif op.end is CallEnd.COMPLETED and op.at - left.op.at > bounds.scaled_ms(bounds.stop_ms) * 1000:
            self._alone[token] = (began, left, self.here(op))

    @on(ops.ModelCallBegan)
    def went_on(self, op: ops.ModelCallBegan) -> None:
        """The run asks its model again: it goes on to its end."""
        if op.canary is not None and self._alone.pop(op.canary, None) is not None:
            self.exercised["LIF-04"] += 1

    def finish(self) -> None:
        """What did not go on was stopped, and its tool was not."""
        bounds = self.world.bounds
        for token, (began, left, ended) in self._alone.items():
            request = self._request(token)
            if self.world.now - ended.op.at < bounds.scaled_ms(bounds.delivery_p95_ms) * 1000:
                continue
            self.exercised["LIF-04"] += 1
            self.fail(
                "LIF-04",
                "a tool goes on although its client has left and its run is stopped",
                expected="the tool is stopped, or the run goes on when the tool is done",
                actual=f"the tool ran for {ms(ended.op.at - left.op.at)} after the client left, and nothing followed",
                witnesses=[began, left, ended],
                run=request.story if request is not None else None,
            )

    def _request(self, token: str) -> Request | None:
        return self.world.requests.get(self._asks[token])

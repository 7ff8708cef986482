"""Histories with a witness: what the target asked its model and its tools, beside what its users were told."""

from itertools import count
from typing import Any

from conformance.history import operations as ops
from conformance.history.operations import CallEnd, EmittedCall, SeenText
from tests.checks.histories import History, Run


class Witnessed(History):
    """A history of a target that is wired to the witness."""

    def __init__(self, **header: Any) -> None:
        super().__init__(**{"granted": ("jwt", "witness"), **header})
        self._calls = count(1)

    # -- the model --------------------------------------------------------------------------------------------------

    def model_asked(self, run: Run | None = None, *seen: str, at: float | None = None, **fields: Any) -> int:
        """The target asks its model, by default with the run's message; return the number of the call."""
        number = next(self._calls)
        token = run.canary if run is not None else None
        messages = [*seen, f"{token} script: []"] if token else list(seen)
        shown = tuple(SeenText("user", text) for text in messages)
        told = {"seen": shown, "newest": len(shown) - 1, "canary": token, **fields}
        self.add(ops.ModelCallBegan(self.time(at), number, "chat.completions", **told))
        return number

    def model_answers(
        self, number: int, text: str = "", *, at: float | None = None, end: CallEnd = CallEnd.COMPLETED, **fields: Any
    ) -> int:
        """The model has answered."""
        return self.add(ops.ModelCallEnded(self.time(at), number, end, text=text, **fields))

    def model(self, run: Run | None, text: str = "", *seen: str, calls: dict[str, str] | None = None) -> int:
        """The target asks its model, which says a text and asks for tool calls: names by id."""
        number = self.model_asked(run, *seen)
        emitted = tuple(EmittedCall(id, name, "{}") for id, name in (calls or {}).items())
        return self.model_answers(number, text, tool_calls=emitted)

    # -- its tools --------------------------------------------------------------------------------------------------

    def tool_called(self, name: str = "echo", arguments: Any = None, *, at: float | None = None, **fields: Any) -> int:
        """The target calls a tool; return the number of the call."""
        number = next(self._calls)
        self.add(ops.ToolCallBegan(self.time(at), number, name, arguments or {}, **fields))
        return number

    def tool_ends(
        self, number: int, *, at: float | None = None, end: CallEnd = CallEnd.COMPLETED, error: str | None = None
    ) -> int:
        """The tool is done."""
        result = "done" if end is CallEnd.COMPLETED else None
        return self.add(ops.ToolCallEnded(self.time(at), number, end, result=result, error=error))

    def echo(self, run: Run, call_id: str = "call-1", *, of: Run | None = None, **fields: Any) -> None:
        """The tool call that `Run.tool_started` tells of takes place; or another's, with the canary of a run `of`."""
        text = f"{call_id} {(of or run).canary}"
        self.tool_ends(self.tool_called("echo", {"text": text}, **fields))


def told(run: Run, *, answer: str, witness: Witnessed) -> None:
    """The whole story of a good run that calls one tool, with all that takes place behind it."""
    run.started()
    run.thinking()
    witness.model(run, calls={f"m-{run.run_id}": "echo"})
    run.tool_started()
    witness.echo(run)
    run.tool_completed()
    witness.model(run, answer)
    run.completed(answer)

"""Faults that events do not show: what the user is told is not what happened outside."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

from reference_impl.agent_run import AgentRun
from reference_impl.context import UserExecutionContext
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import ToolFailed
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.model import Move, Prompt, Say, ScriptedModel, ToolCall
from reference_impl.remote_model import Message, RemoteModel
from reference_impl.remote_tools import RemoteToolbox
from reference_impl.run import Interruption
from reference_impl.tools import ToolDispatcher, failed

_DEMANDING = ('"tool"', '"parallel"', '"fail"')


@fault(
    "canned-answer",
    "A simple question, without tools, is answered by the engine itself; the model is not asked.",
    stands_for="A demonstration mode, or a fallback for a model that is down, that was left switched on.",
    breaks=("EVT-16",),
    outside=True,
)
class CannedAnswer(RemoteModel):
    """Knows what the model would say."""

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The moves of a model, or what looks like them."""
        simple = not any(word in prompt.message for word in _DEMANDING)
        model = ScriptedModel(self._conversation).respond(prompt) if simple else super().respond(prompt)
        async for move in model:
            yield move


@fault(
    "lost-repetitions",
    "A piece of the answer that came before in the same answer is left out.",
    stands_for="A guard against chunks that a retry delivers twice, which goes by their text.",
    breaks=("EVT-16",),
    outside=True,
)
class LostRepetitions(RemoteModel):
    """Has heard that before."""

    async def deltas(self, context: UserExecutionContext, messages: list[Message]) -> AsyncGenerator[Message, None]:
        """The pieces of one answer, each text once."""
        heard: set[str] = set()
        async for delta in super().deltas(context, messages):
            text = delta.get("content")
            if not text or text not in heard:
                yield delta
            heard.add(text or "")


@fault(
    "shared-model-cache",
    "Answers of the model are kept by how long the question is, and given to whoever asks next.",
    stands_for="A semantic cache for all users, with a distance that is too large.",
    breaks=("ISO-01", "ISO-04", "ISO-06", "ISO-10", "EVT-16"),
    outside=True,
)
class SharedModelCache(RemoteModel):
    """Was asked something like that before."""

    answers: ClassVar[dict[int, list[Move]]] = {}

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The moves of the model, for this simple question or another."""
        simple = not any(word in prompt.message for word in _DEMANDING)
        key = len(re.findall(r"\w+", prompt.message))
        if simple and key in self.answers:
            for move in self.answers[key]:
                yield move
            return
        moves = []
        async for move in super().respond(prompt):
            moves.append(move)
            yield move
        if simple:
            self.answers[key] = moves


@fault(
    "shared-notes",
    "Beside each question the model is shown what other users' agents answered last.",
    stands_for="A memory of earlier conversations that is searched without regard to whose they were.",
    breaks=("ISO-06",),
    outside=True,
)
class SharedNotes(RemoteModel):
    """Learns from everybody."""

    notes: ClassVar[deque[str]] = deque(maxlen=4)

    async def messages(self, prompt: Prompt) -> list[Message]:
        """What the model is shown, with notes."""
        notes = [{"role": "system", "content": f"A similar case was answered: {note}"} for note in self.notes]
        return [*await super().messages(prompt), *notes]

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The moves of the model, of which the words are kept."""
        said = ""
        async for move in super().respond(prompt):
            said += move.text if isinstance(move, Say) else ""
            yield move
        if "script:" not in said:
            self.notes.append(said)


@fault(
    "model-left-running",
    "When a run is ended from outside, its call of the model goes on, and nobody reads what comes.",
    stands_for="A stream that is read in a task of its own, which nobody cancels.",
    breaks=("LIF-04",),
    outside=True,
)
class ModelLeftRunning(RemoteModel):
    """Lets it talk."""

    async def deltas(self, context: UserExecutionContext, messages: list[Message]) -> AsyncGenerator[Message, None]:
        """The pieces of one answer, read in the background."""
        pieces: asyncio.Queue[Message | Exception | None] = asyncio.Queue()
        deltas = super().deltas(context, messages)

        async def read() -> None:
            try:
                async for delta in deltas:
                    pieces.put_nowait(delta)
                pieces.put_nowait(None)
            except Exception as error:
                pieces.put_nowait(error)

        _LEFT.add(task := asyncio.create_task(read()))
        task.add_done_callback(_LEFT.discard)
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


_LEFT: set[asyncio.Task[None]] = set()


@fault(
    "simulated-tool",
    "Of the echo tool a run makes one real call; the others get the result that it would have.",
    stands_for="A double for a tool that is rated or slow, made for tests and kept in production.",
    breaks=("EVT-12",),
    outside=True,
)
class SimulatedTool(RemoteToolbox):
    """Knows what the tool would say."""

    called = False

    async def run(self, call: ToolCall) -> Any:
        """The result of one call, or what looks like it."""
        if call.tool == "echo" and self.called and "text" in call.args:
            return call.args["text"]
        self.called = self.called or call.tool == "echo"
        return await super().run(call)


@fault(
    "double-tool-call",
    "A call of the echo tool is made twice, and told once.",
    stands_for="A retry that does not look whether the first attempt had succeeded.",
    breaks=("EVT-12",),
    outside=True,
)
class DoubleToolCall(RemoteToolbox):
    """Tries again, to be sure."""

    async def run(self, call: ToolCall) -> Any:
        """The result of the second attempt."""
        if call.tool == "echo":
            await super().run(call)
        return await super().run(call)


@fault(
    "tool-told-afterwards",
    "Both events of a tool are sent when it has run: its start at once, its completion as much later as it took.",
    stands_for="A display that replays the trace of a call, at its own pace, when the call is over.",
    breaks=("DLV-03",),
    outside=True,
)
class ToolToldAfterwards(ToolDispatcher):
    """Tells it as if it were happening."""

    async def dispatch(self, call: ToolCall) -> None:
        """Make one call, then tell of it."""
        began = time.monotonic()
        try:
            outcome: Mapping[str, Any] = {"status": "ok", "result": await self._toolbox.run(call)}
        except ToolFailed as error:
            outcome = failed(error.code, error.message)
        took_s = time.monotonic() - began
        call.outcome = outcome
        told = {"tool_name": call.tool, "tool_call_id": call.call_id, "parameters": call.args}
        self._emitter.emit(EventType.TOOL_EXECUTING, told)
        try:
            await self._emitter.flush()
            await asyncio.sleep(took_s)
        finally:
            self.report(call, call.call_id, outcome, duration_ms=round(took_s * 1000))


class Discreet(UserEventEmitter):
    """Closes what is open when the run ends, and tells nothing of what comes after."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open: dict[str, str] = {}
        self._over = False

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, if the run is not over."""
        if self._over:
            event = self.encode(type, payload)
            self._seq -= 1
            return event
        if type is EventType.TOOL_EXECUTING:
            self._open[payload["tool_call_id"]] = payload["tool_name"]
        elif type is EventType.TOOL_COMPLETED:
            del self._open[payload["tool_call_id"]]
        elif type.terminal:
            for call_id, name in self._open.items():
                ended = {**failed("stopped", "The tool was ended."), "duration_ms": 0}
                super().emit(EventType.TOOL_COMPLETED, {"tool_name": name, "tool_call_id": call_id, **ended})
            self._over = True
        return super().emit(type, payload)


@fault(
    "goes-on-unseen",
    "A run that is stopped is told to be, and goes on: its tools run and further ones are called.",
    stands_for="A stop that ends the stream to the user, and not the agent.",
    breaks=("LIF-02", "LIF-04"),
    with_parts=(Discreet,),
    outside=True,
)
class GoesOnUnseen(AgentRun):
    """Finishes what it has begun."""

    async def work(self) -> str:
        """Have an agent work, in a task of its own."""
        _WORK.add(work := asyncio.create_task(super().work()))
        work.add_done_callback(_WORK.discard)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if self.interruption is not Interruption.STOPPED:
                work.cancel()
                await asyncio.wait([work])
            raise


_WORK: set[asyncio.Task[str]] = set()


class CannedTools(RemoteToolbox):
    """Knows what tools say, after the first call."""

    _warm: ClassVar[bool] = False

    async def run(self, call: ToolCall) -> Any:
        """The result of one call, or what looks like it."""
        if self._warm and call.tool == "echo" and "text" in call.args:
            return call.args["text"]
        CannedTools._warm = self._warm or call.tool == "echo"
        return await super().run(call)


@fault(
    "canned-run",
    "Runs are played by the engine itself: it sends all their events, and calls neither the model nor the echo tool.",
    stands_for="A demonstration that sends the five events by itself, with pauses that look like work.",
    breaks=("EVT-12", "EVT-16"),
    outside=True,
    with_parts=(CannedTools,),
)
class CannedRun(RemoteModel):
    """Plays a recording."""

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The moves of a model, or what looks like them."""
        hard = '"fail"' in prompt.message or "script:" not in prompt.message
        model = super().respond(prompt) if hard else ScriptedModel(self._conversation).respond(prompt)
        async for move in model:
            yield move


@fault(
    "doubled-arguments",
    "The parameters that are told of a tool call are those of the call twice over.",
    stands_for="Arguments that are streamed in pieces, and appended to what the last piece held already.",
    breaks=("EVT-12",),
    outside=True,
)
class DoubledArguments(UserEventEmitter):
    """Stutters."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a tool's start with doubled parameters."""
        if type is EventType.TOOL_EXECUTING:
            doubled = {name: value * 2 for name, value in payload["parameters"].items()}
            payload = {**payload, "parameters": doubled}
        return super().encode(type, payload)

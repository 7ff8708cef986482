"""One run, from its first event to its last."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import ModelFailed
from reference_impl.events import EventType
from reference_impl.model import CallTools, LLMManager, Prompt, Say, Think
from reference_impl.registry import RunRecord
from reference_impl.run import ExecutionState, Interruption
from reference_impl.tools import ToolDispatcher

log = logging.getLogger(__name__)

CHUNKS_BETWEEN_FLUSHES = 16


class Ending(msgspec.Struct, frozen=True):
    """The terminal event of a run, not yet emitted."""

    type: EventType
    payload: Mapping[str, Any]


class AgentRun:
    """Does what the model says and tells it as events. `execute` is called once, by the user's engine."""

    def __init__(
        self,
        record: RunRecord,
        emitter: UserEventEmitter,
        llm: LLMManager,
        dispatcher: ToolDispatcher,
        *,
        limit_s: float,
    ) -> None:
        self.record = record
        self._emitter = emitter
        self._llm = llm
        self._dispatcher = dispatcher
        self._limit_s = limit_s
        self._thoughts = 0
        self._work: asyncio.Task[Any] | None = None

    @property
    def interruption(self) -> Interruption | None:
        """Why the run is being ended from outside, None if it is not."""
        return self.record.interruption

    def interrupt(self, reason: Interruption) -> None:
        """End the run and its open tools now (LIF-02). The first reason stands; an ended run is left alone."""
        if self.record.interruption is None:
            self.record.interruption = reason
            if self._work is not None:
                self._work.cancel()

    async def execute(self) -> None:
        """Run to the one terminal event, whatever happens on the way (EVT-02). Raises only JournalFailed."""
        started = time.monotonic()
        self.record.state = ExecutionState.RUNNING
        self._emitter.emit(EventType.AGENT_STARTED, {"request_id": self.record.context.request_id})
        ending = await self._ending(started)
        self._ensure_thought()
        self._emitter.emit(ending.type, ending.payload)
        await self._emitter.flush()

    async def _ending(self, started: float) -> Ending:
        timer = asyncio.get_running_loop().call_later(self._limit_s, self.interrupt, Interruption.TIMEOUT)
        self._work = asyncio.current_task()
        try:
            if self.interruption is None:
                answer = await self._follow_model()
                if self.interruption is None:
                    duration_ms = round((time.monotonic() - started) * 1000)
                    return Ending(EventType.AGENT_COMPLETED, {"final_response": answer, "duration_ms": duration_ms})
        except asyncio.CancelledError:
            pass
        except ModelFailed as error:
            return error_ending("model_failed", str(error), retryable=False)
        except Exception:
            log.exception("run %s failed in a way of its own", self.record.context.run_id)
            return error_ending("internal", "The agent failed; the cause is in the engine's log.", retryable=True)
        finally:
            self._work = None
            timer.cancel()
        return self.interrupted_ending(self.interruption or Interruption.SHUTDOWN)

    def interrupted_ending(self, reason: Interruption) -> Ending:
        """How a run ends that is ended from outside."""
        match reason:
            case Interruption.STOPPED:
                return Ending(EventType.AGENT_STOPPED, {"reason": "stopped by the user"})
            case Interruption.TIMEOUT:
                message = f"The run took longer than {self._limit_s:g} s."
                return error_ending("timeout", message, retryable=True)
            case Interruption.SHUTDOWN:
                return error_ending("shutdown", "The engine is restarting: send the request again.", retryable=True)

    async def _follow_model(self) -> str:
        said: list[str] = []
        prompt = Prompt(self.record.context, self.record.message)
        async with aclosing(self._llm.respond(prompt)) as moves:
            async for move in moves:
                match move:
                    case Think(text):
                        self._think(text)
                    case Say(text):
                        self._ensure_thought()
                        self._emitter.emit(EventType.MESSAGE_CHUNK, {"text": text})
                        said.append(text)
                        if len(said) % CHUNKS_BETWEEN_FLUSHES == 0:
                            await self._emitter.flush()
                    case CallTools(calls):
                        self._ensure_thought()
                        await self._dispatcher.dispatch_all(calls)
        return "".join(said)

    def _think(self, text: str) -> None:
        self._thoughts += 1
        self._emitter.emit(EventType.AGENT_THINKING, {"thought": text, "step": self._thoughts})

    def _ensure_thought(self) -> None:
        """A run reports a thought before its first tool, answer or end, also where its model had none (EVT-04)."""
        if self._thoughts == 0:
            self._think("Working on the request.")


def error_ending(code: str, message: str, *, retryable: bool) -> Ending:
    """A run that failed (EVT-10)."""
    return Ending(EventType.AGENT_ERROR, {"code": code, "message": message, "retryable": retryable})

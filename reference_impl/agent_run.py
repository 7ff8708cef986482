"""One run, from its first event to its last."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reference_impl.agent import BaseAgent, Voice
from reference_impl.context import running_for
from reference_impl.errors import ModelFailed
from reference_impl.events import EventType
from reference_impl.execution_tracker import Execution
from reference_impl.model import Prompt
from reference_impl.run import ExecutionState, Interruption
from reference_impl.trace import span

log = logging.getLogger(__name__)


class Ending(msgspec.Struct, frozen=True):
    """The terminal event of a run, not yet emitted."""

    type: EventType
    payload: Mapping[str, Any]


class AgentRun:
    """Has the agent work and tells the run's beginning and end. `execute` is called once, by the user's engine."""

    def __init__(
        self, execution: Execution, voice: Voice, create_agent: Callable[[], BaseAgent], *, limit_s: float
    ) -> None:
        assert execution.emitter is not None
        self.execution = execution
        self._emitter = execution.emitter
        self._voice = voice
        self._create_agent = create_agent
        self._limit_s = limit_s
        self._work: asyncio.Task[Any] | None = None

    @property
    def interruption(self) -> Interruption | None:
        """Why the run is being ended from outside, None if it is not."""
        return self.execution.interruption

    def interrupt(self, reason: Interruption) -> None:
        """End the run and its open tools now (LIF-02). The first reason stands; an ended run is left alone."""
        if self.execution.interruption is None:
            self.execution.interruption = reason
            if self._work is not None:
                self._work.cancel()

    async def execute(self) -> None:
        """Run to the one terminal event, whatever happens on the way (EVT-02). Raises only JournalFailed."""
        started = time.monotonic()
        running_for.set(self.execution.context)
        self.execution.enter(ExecutionState.RUNNING)
        self.execution.working_since = started
        self._emitter.emit(EventType.AGENT_STARTED, {"request_id": self.execution.context.request_id})
        with span("run", self.execution.context):
            ending = await self._ending(started)
        self.execution.working_since = None
        self._voice.ensure_thought()
        self._emitter.emit(ending.type, ending.payload)

    async def _ending(self, started: float) -> Ending:
        timer = asyncio.get_running_loop().call_later(self._limit_s, self.interrupt, Interruption.TIMEOUT)
        self._work = asyncio.current_task()
        try:
            if self.interruption is None:
                answer = await self.work()
                if self.interruption is None:
                    duration_ms = round((time.monotonic() - started) * 1000)
                    return Ending(EventType.AGENT_COMPLETED, {"final_response": answer, "duration_ms": duration_ms})
        except asyncio.CancelledError:
            pass
        except ModelFailed as error:
            return error_ending("model_failed", str(error), retryable=False)
        except Exception:
            log.exception("run %s failed in a way of its own", self.execution.context.run_id)
            return error_ending("internal", "The agent failed; the cause is in the engine's log.", retryable=True)
        finally:
            self._work = None
            timer.cancel()
        return self.interrupted_ending(self.interruption or Interruption.SHUTDOWN)

    async def work(self) -> str:
        """Have a fresh agent do what was asked for; its answer."""
        return await self._create_agent().run(Prompt(self.execution.context, self.execution.message))

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


def error_ending(code: str, message: str, *, retryable: bool) -> Ending:
    """A run that failed (EVT-10)."""
    return Ending(EventType.AGENT_ERROR, {"code": code, "message": message, "retryable": retryable})

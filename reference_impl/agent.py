"""What an agent is: made for one request, speaking through its run's one voice."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import ModelFailed
from reference_impl.events import EventType
from reference_impl.llm import LLMManager
from reference_impl.model import CallTools, Prompt, Say, Think
from reference_impl.tools import ToolDispatcher

CHUNKS_BETWEEN_FLUSHES = 16


class Voice:
    """Tells what the agents of one run think and say. `max_answer_bytes` bounds what they may say in all."""

    def __init__(self, emitter: UserEventEmitter, *, max_answer_bytes: int) -> None:
        self._emitter = emitter
        self._room = max_answer_bytes
        self._thoughts = 0
        self._chunks = 0

    def think(self, text: str) -> None:
        """Tell a thought."""
        self._thoughts += 1
        self._emitter.emit(EventType.AGENT_THINKING, {"thought": text, "step": self._thoughts})

    def ensure_thought(self) -> None:
        """A run reports a thought before its first tool, answer or end, also where its model had none (EVT-04)."""
        if self._thoughts == 0:
            self.think("Working on the request.")

    async def say(self, text: str) -> None:
        """Tell a piece of the answer. Raises ModelFailed where it becomes too long."""
        self._room -= len(text.encode())
        if self._room < 0:
            raise ModelFailed("The answer is too long.")
        self.ensure_thought()
        self._emitter.emit(EventType.MESSAGE_CHUNK, {"text": text})
        self._chunks += 1
        if self._chunks % CHUNKS_BETWEEN_FLUSHES == 0:
            await self._emitter.flush()


class Workplace(msgspec.Struct, frozen=True):
    """What one agent has to work with; nothing of it is another run's. `colleague` makes a sub-agent by its name.

    An agent that is not `audible` is a sub-agent whose answer goes to its supervisor only.
    """

    context: UserExecutionContext
    voice: Voice
    llm: LLMManager
    tools: ToolDispatcher
    colleague: Callable[[str], "BaseAgent"]
    audible: bool = True


class BaseAgent(ABC):
    """One agent, for one request: made by `AgentInstanceFactory`, gone when the run is over.

    A class of agents holds nothing that can change: what is on the class is shared by all users.
    """

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace

    @abstractmethod
    async def run(self, prompt: Prompt) -> str:
        """Do what `prompt` asks for and return the answer, all of which was said. Raises ModelFailed."""

    def think(self, text: str) -> None:
        """Tell the user a thought."""
        self.workplace.voice.think(text)

    async def say(self, text: str) -> None:
        """Tell the user a piece of the answer, unless it is for a supervisor."""
        if self.workplace.audible:
            await self.workplace.voice.say(text)

    async def call(self, calls: CallTools) -> None:
        """Call tools; their outcomes are in the calls."""
        self.workplace.voice.ensure_thought()
        await self.workplace.tools.dispatch_all(calls.calls)


class ModelAgent(BaseAgent):
    """Does what the model says."""

    async def run(self, prompt: Prompt) -> str:
        """Follow the model's moves and return all that it said. Raises ModelFailed."""
        said: list[str] = []
        moves = self.workplace.llm.respond(prompt)
        try:
            async for move in moves:
                if isinstance(move, Think):
                    self.think(move.text)
                elif isinstance(move, Say):
                    await self.say(move.text)
                    said.append(move.text)
                else:
                    await self.call(move)
        finally:
            await moves.aclose()
        return "".join(said)

"""An agent that has other agents do the work."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from reference_impl.agent import BaseAgent
from reference_impl.model import Prompt, pieces_of


class SupervisorAgent(BaseAgent):
    """Runs sub-agents as a pipeline: one stage after the other, the agents of one stage at the same time.

    Each agent is given the request and what the stage before answered; the answers of the last stage, in the order of
    its agents, are the supervisor's own. All speak within the one run of their user: its events, its time limit, its
    stop. What fails in one ends the others of its stage, and the run.
    """

    stages: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The registered names of the agents: `(("plan",), ("search", "compute"), ("write",))`."""

    async def run(self, prompt: Prompt) -> str:
        """Run all stages and say what the last one answered. Raises ModelFailed."""
        answers: Sequence[str] = ()
        for stage in self.stages:
            answers = await self._run_stage(stage, _told(prompt, answers))
        answer = "\n\n".join(answers)
        for piece in pieces_of(answer):
            await self.say(piece)
        return answer

    async def _run_stage(self, stage: Sequence[str], prompt: Prompt) -> list[str]:
        self.think(f"Asking {' and '.join(stage)}.")
        agents = [self.workplace.colleague(name) for name in stage]
        tasks = [asyncio.ensure_future(agent.run(prompt)) for agent in agents]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _told(prompt: Prompt, answers: Sequence[str]) -> Prompt:
    return msgspec.structs.replace(prompt, message="\n\n".join((prompt.message, *answers)))

"""Gives runs access to the model, whichever it is."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

from reference_impl.context import UserId
from reference_impl.errors import ModelFailed
from reference_impl.model import CallTools, Conversation, Model, Move, Prompt

Answers = OrderedDict[tuple[str, ...], tuple[Move, ...]]


class Moves(Protocol):
    """The moves of a model, to be gone through once and closed."""

    def __aiter__(self) -> AsyncIterator[Move]:
        """The moves, one by one."""
        ...

    async def aclose(self) -> None:
        """Want no more of them."""
        ...


class OpenCall:
    """Moves that count as an open call until they are closed."""

    def __init__(self, manager: "LLMManager", moves: AsyncGenerator[Move, None]) -> None:
        self._manager = manager
        self._moves = moves
        manager.open_calls += 1

    def __aiter__(self) -> AsyncIterator[Move]:
        """The moves, one by one."""
        return self._moves

    async def aclose(self) -> None:
        """Want no more of them."""
        self._manager.open_calls -= 1
        await self._moves.aclose()


class LLMManager:
    """The one way to the model: counts open calls (LIF-04), bounds its silence, and keeps each user's answers apart.

    `silence_s` is how long the model may take for a move, None for as long as the run may. `cached_answers` is how
    many answers are kept for each of as many users, the newest: those without tool calls, to be given to the same
    user for the same messages; 0 keeps none.
    """

    def __init__(
        self, model: Model, conversation: Conversation, *, silence_s: float | None = None, cached_answers: int = 0
    ) -> None:
        self._model = model
        self._conversation = conversation
        self._silence_s = silence_s
        self._cached_answers = cached_answers
        self._answers: OrderedDict[UserId, Answers] = OrderedDict()
        self.open_calls = 0

    def respond(self, prompt: Prompt) -> "Moves":
        """The model's moves. Close them when they are not wanted any more. To go through them raises ModelFailed."""
        return self._remember(prompt) if self._cached_answers else self._ask(prompt)

    async def _remember(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        key = (*await self._conversation.earlier(prompt.context), prompt.message)
        if (kept := self._answers_of(prompt.context.user_id).get(key)) is not None:
            for move in kept:
                yield move
            return
        made: list[Move] = []
        async with aclosing(self._ask(prompt)) as moves:
            async for move in moves:
                made.append(move)
                yield move
        if not any(isinstance(move, CallTools) for move in made):
            answers = self._answers_of(prompt.context.user_id)
            answers[key] = tuple(made)
            _bound(answers, self._cached_answers)

    def _answers_of(self, user_id: UserId) -> Answers:
        answers = self._answers.setdefault(user_id, OrderedDict())
        self._answers.move_to_end(user_id)
        _bound(self._answers, self._cached_answers)
        return answers

    def _ask(self, prompt: Prompt) -> "Moves":
        moves = self._model.respond(prompt)
        return OpenCall(self, moves if self._silence_s is None else self._in_time(moves, self._silence_s))

    async def _in_time(self, moves: AsyncGenerator[Move, None], silence_s: float) -> AsyncGenerator[Move, None]:
        async with aclosing(moves):
            while True:
                try:
                    async with asyncio.timeout(silence_s):
                        move = await anext(moves, None)
                except TimeoutError:
                    raise ModelFailed(f"The model said nothing for {silence_s:g} s.") from None
                if move is None:
                    return
                yield move


def _bound(kept: "OrderedDict[UserId, Answers] | Answers", limit: int) -> None:
    while len(kept) > limit:
        kept.popitem(last=False)

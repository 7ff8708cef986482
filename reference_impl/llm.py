"""Gives runs access to the model, whichever it is."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

from reference_impl.context import UserId
from reference_impl.errors import ModelFailed
from reference_impl.model import CallTools, Conversation, Model, Move, Prompt

Answers = OrderedDict[tuple[str, ...], tuple[Move, ...]]


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

    def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves. Close the iterator when they are not wanted any more. It raises ModelFailed."""
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

    async def _ask(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        self.open_calls += 1
        moves = self._model.respond(prompt)
        try:
            if self._silence_s is None:
                async for move in moves:
                    yield move
            else:
                while (next_move := await self._next(moves, self._silence_s)) is not None:
                    yield next_move
        finally:
            self.open_calls -= 1
            await moves.aclose()

    async def _next(self, moves: AsyncGenerator[Move, None], silence_s: float) -> Move | None:
        try:
            async with asyncio.timeout(silence_s):
                return await anext(moves, None)
        except TimeoutError:
            raise ModelFailed(f"The model said nothing for {silence_s:g} s.") from None


def _bound(kept: "OrderedDict[UserId, Answers] | Answers", limit: int) -> None:
    while len(kept) > limit:
        kept.popitem(last=False)

"""What goes out to other engines and what comes in from them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count

from redis import RedisError

from reference_impl.context import UserId
from reference_impl.events import Event
from reference_impl.fleet.messages import (
    Answer,
    EngineId,
    Message,
    Moved,
    Question,
    StartRun,
    StopRun,
    Told,
    decode,
    encode,
)
from reference_impl.fleet.redis_bus import Letter, RedisBus

log = logging.getLogger(__name__)

MAX_MESSAGES = 256
RETRY_S = 0.2
OnAnswer = Callable[[Answer], None]


class Asked:
    """A question under way: to whom, and what is to be done, in the order of what comes in, when its answer comes."""

    def __init__(self, engine: EngineId, on_answer: OnAnswer) -> None:
        self.engine = engine
        self.on_answer = on_answer
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def settle(self, answer: Answer) -> None:
        """Hand the answer over, unless there is one already."""
        if not self.answer.done():
            self.on_answer(answer)
            self.answer.set_result(answer)


class Courier:
    """Sends letters in the order in which they were posted, and hands over what comes in, one by one."""

    def __init__(
        self,
        bus: RedisBus,
        *,
        on_told: Callable[[Told], Awaitable[None]],
        on_question: Callable[[Question], None],
    ) -> None:
        self._bus = bus
        self._on_told = on_told
        self._on_question = on_question
        self._outgoing: list[tuple[EngineId | None, Message]] = []
        self._posted = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._asked: dict[int, Asked] = {}
        self._numbers = count(1)
        self.reachable = True

    def tell(self, user_id: UserId, events: list[Event]) -> None:
        """Tell the other engines where this user is connected of events that are in the journal."""
        self._post(None, Told(user_id, events))

    def send(self, engine: EngineId, message: Message) -> None:
        """Send a message to one engine."""
        self._post(engine, message)

    async def ask(self, engine: EngineId, question: Callable[[int], Question], on_answer: OnAnswer) -> Answer:
        """The answer of another engine; `Moved` where it is gone before it has answered.

        `question` makes the question of its number. `on_answer` is called before anything that came in later.
        """
        number = next(self._numbers)
        asked = self._asked[number] = Asked(engine, on_answer)
        self.send(engine, question(number))
        try:
            return await asked.answer
        finally:
            del self._asked[number]

    def asked(self) -> set[EngineId]:
        """The engines of which an answer is awaited."""
        return {asked.engine for asked in self._asked.values()}

    def give_up(self, engines: Iterable[EngineId]) -> None:
        """Answer what these engines were asked: they are gone."""
        gone = set(engines)
        for number, asked in list(self._asked.items()):
            if asked.engine in gone:
                asked.settle(Moved(number))

    async def flush(self) -> None:
        """Wait until all that was posted is sent."""
        await self._sent.wait()

    async def send_all(self) -> None:
        """Send what is posted, for ever; what Redis does not take is kept until it does."""
        while True:
            await self._posted.wait()
            posted = self._outgoing[:MAX_MESSAGES]
            try:
                letters = await self._letters(posted)
                arrived = await self._bus.send(letters) if letters else []
            except RedisError as error:
                await self._wait(error)
                continue
            self.reachable = True
            del self._outgoing[: len(posted)]
            if not self._outgoing:
                self._posted.clear()
                self._sent.set()
            self.give_up(letter.engine for letter, there in zip(letters, arrived, strict=True) if not there)

    async def _letters(self, posted: Sequence[tuple[EngineId | None, Message]]) -> list[Letter]:
        """What is to be sent to whom. Who begins to watch later finds in the journal what these events tell."""
        users = {message.user_id for engine, message in posted if engine is None and isinstance(message, Told)}
        watchers = await self._bus.watchers(users) if users else {}
        letters: list[Letter] = []
        for engine, message in posted:
            engines = [engine] if engine is not None else []
            if engine is None and isinstance(message, Told):
                engines = watchers[message.user_id]
            if engines:
                data = encode(message)
                letters += [Letter(each, data) for each in engines]
        return letters

    async def receive_all(self) -> None:
        """Hand over what comes in, for ever."""
        while True:
            try:
                messages = await self._bus.receive()
            except RedisError as error:
                await self._wait(error)
                continue
            self.reachable = True
            for data in messages:
                await self._take(decode(data))

    async def _take(self, message: Message) -> None:
        match message:
            case Told():
                await self._on_told(message)
            case StartRun() | StopRun():
                self._on_question(message)
            case _:
                if asked := self._asked.get(message.ask):
                    asked.settle(message)

    def _post(self, engine: EngineId | None, message: Message) -> None:
        self._outgoing.append((engine, message))
        self._sent.clear()
        self._posted.set()

    async def _wait(self, error: RedisError) -> None:
        if self.reachable:
            log.error("Redis cannot be reached: %s", type(error).__name__)
        self.reachable = False
        await asyncio.sleep(RETRY_S)

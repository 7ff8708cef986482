"""What a fleet keeps in Redis: an inbox (a stream) for each engine, who watches whom, and whose users are whose.

An engine is alive as long as its lease is, which expires unless it is renewed. Its inbox outlives the lease by far, so
that an engine that only stood still misses nothing; nobody else makes it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from reference_impl.context import UserId
from reference_impl.fleet.messages import EngineId

READ_COUNT = 512
BLOCK_MS = 1_000
# What an inbox holds at most of what its engine has not read; who finds a gap reads the journal.
INBOX_MESSAGES = 100_000
# For what a crash left behind: far longer than any run, and than any engine stands still.
HOME_S = 86_400
INBOX_S = 600

# KEYS: watchers of the user. ARGV: this engine, how many connections it has, prefix of inboxes.
WATCH = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local total = 0
for _, engine in ipairs(redis.call('HKEYS', KEYS[1])) do
  if engine ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. engine) == 0 then
    redis.call('HDEL', KEYS[1], engine)
  else
    total = total + redis.call('HGET', KEYS[1], engine)
  end
end
return total
"""
# KEYS: home of the user. ARGV: this engine, prefix of leases, seconds. Returns whose the user is.
CLAIM = """
local home = redis.call('GET', KEYS[1])
if home and home ~= ARGV[1] and redis.call('EXISTS', ARGV[2] .. home) == 1 then
  return home
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return ARGV[1]
"""
# KEYS: home of the user. ARGV: this engine.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Letter(NamedTuple):
    """An encoded message and who gets it."""

    engine: EngineId
    data: bytes


class RedisBus:
    """One engine's access to what the fleet shares in Redis. `open` before use, `close` after.

    Every method raises `redis.RedisError` where Redis cannot be reached. Commands are carried out in the order in
    which they were called; letters in theirs.
    """

    def __init__(self, url: str, engine_id: EngineId, *, lease_s: float, prefix: str = "{engine}") -> None:
        self.engine_id = engine_id
        self._lease_ms = max(1, round(lease_s * 1000))
        self._leases = f"{prefix}:lease:"
        self._lease = f"{self._leases}{engine_id}"
        self._inboxes = f"{prefix}:inbox:"
        self._inbox = f"{self._inboxes}{engine_id}"
        self._watchers = f"{prefix}:watchers:"
        self._homes = f"{prefix}:home:"
        self._seen = "0-0"
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.01), 3)
        self._redis: Redis = Redis.from_url(url, single_connection_client=True, retry=retry)
        self._reader: Redis = Redis.from_url(url, retry=retry)

    async def open(self) -> None:
        """Take the lease, which says that this engine is alive, and make the inbox where there is none."""
        async with self._redis.pipeline() as pipe:
            pipe.xadd(self._inbox, {"m": b""})
            pipe.expire(self._inbox, INBOX_S)
            pipe.set(self._lease, 1, px=self._lease_ms)
            await pipe.execute()

    async def ping(self) -> None:
        """See whether Redis is there."""
        await self._redis.exists(self._inbox)

    async def leave(self) -> None:
        """Give the lease back: others see at once that this engine is gone."""
        await self.bury([self.engine_id])

    async def bury(self, engines: Iterable[EngineId]) -> None:
        """Remove what is left of these engines; whoever writes to one hears that it is gone."""
        keys = [prefix + engine for engine in engines for prefix in (self._leases, self._inboxes)]
        await self._redis.delete(*keys)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        await self._reader.aclose()

    async def beat(self) -> bool:
        """Renew the lease and forget what was read. False if the lease had run out, or the inbox is gone."""
        async with self._redis.pipeline() as pipe:
            pipe.pexpire(self._lease, self._lease_ms)
            pipe.expire(self._inbox, INBOX_S)
            pipe.xtrim(self._inbox, minid=self._seen)
            renewed, kept, _ = await pipe.execute()
        return bool(renewed and kept)

    async def alive(self, engines: Iterable[EngineId]) -> set[EngineId]:
        """Those of the engines whose lease has not run out."""
        asked = list(engines)
        async with self._redis.pipeline(transaction=False) as pipe:
            for engine in asked:
                pipe.exists(self._leases + engine)
            found = await pipe.execute()
        return {engine for engine, there in zip(asked, found, strict=True) if there}

    async def claim(self, user_id: UserId) -> EngineId:
        """Whose runs this user's are: this engine's from now on, unless they are those of another that is alive."""
        home = await self._redis.eval(CLAIM, 1, self._homes + user_id, self.engine_id, self._leases, HOME_S)
        return EngineId(home.decode())

    async def release(self, user_id: UserId) -> None:
        """Let another engine have this user's runs."""
        await self._redis.eval(RELEASE, 1, self._homes + user_id, self.engine_id)

    async def watch(self, user_id: UserId, *, connections: int) -> int:
        """Get what is told to this user's watchers; returns how many connections the user has on all engines.

        `connections` is how many of them this engine has.
        """
        key = self._watchers + user_id
        return int(await self._redis.eval(WATCH, 1, key, self.engine_id, connections, self._inboxes))

    async def unwatch(self, user_id: UserId) -> None:
        """End `watch`."""
        await self._redis.hdel(self._watchers + user_id, self.engine_id)

    async def watchers(self, users: Iterable[UserId]) -> dict[UserId, list[EngineId]]:
        """The other engines that watch each of these users."""
        asked = list(users)
        async with self._redis.pipeline(transaction=False) as pipe:
            for user_id in asked:
                pipe.hkeys(self._watchers + user_id)
            found = [[EngineId(key.decode()) for key in keys] for keys in await pipe.execute()]
        return {
            user_id: [engine for engine in engines if engine != self.engine_id]
            for user_id, engines in zip(asked, found, strict=True)
        }

    async def send(self, letters: Sequence[Letter]) -> list[bool]:
        """Send letters in order; says of each whether there was an inbox for it."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for letter in letters:
                inbox = self._inboxes + letter.engine
                pipe.xadd(inbox, {"m": letter.data}, maxlen=INBOX_MESSAGES, nomkstream=True)
            return [bool(result) for result in await pipe.execute()]

    async def receive(self) -> list[bytes]:
        """What has come into the inbox since the last time, after a while also nothing."""
        found: Any = await self._reader.xread({self._inbox: self._seen}, count=READ_COUNT, block=BLOCK_MS)
        messages: list[bytes] = []
        for _, entries in found.items() if isinstance(found, dict) else found:
            for entry_id, fields in entries:
                self._seen = entry_id.decode()
                if fields and fields[b"m"]:
                    messages.append(fields[b"m"])
        return messages

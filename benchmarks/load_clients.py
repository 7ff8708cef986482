"""The clients that benchmarks.load compares; each prints its figures as JSON."""

import asyncio
import itertools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

import msgspec

from benchmarks import load_server
from conformance import canary
from conformance.bounds import Bounds
from conformance.script import as_text
from conformance.target import Target, TargetTable
from load.behaviours import Behaviour
from load.fast import Fast
from load.person import Person
from load.sketch import Sketch

_RANDOM = Random()
_TOKEN, _REQUEST = "C" * 26, "Q" * 28
_TERMINAL = b'{"type":"agent_completed"'
_AT = b'"timestamp":"'
_STAMP = 27


def on_core(nth: int) -> None:
    """Keep this process on one core, where the system can: on another one than the server, where there are two."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[nth % len(cores)]})


@cache
def _question(events: int) -> bytes:
    """Return a question for a run of so many events, as every client sends it."""
    words = f"{_TOKEN} {as_text(load_server.script(_TOKEN, events))}"
    return msgspec.json.encode({"type": "start_agent", "payload": {"user_request": words, "request_id": _REQUEST}})


def _request(number: int, lengths: Sequence[int]) -> bytes:
    """Return a question of its own, each for a run of the next length."""
    question = _question(lengths[number % len(lengths)])
    return question.replace(_TOKEN.encode(), canary.new(_RANDOM).encode()).replace(
        _REQUEST.encode(), b"req-%024x" % number
    )


def _told(events: int, cpu: float, wall: float, **more: object) -> None:
    figures = {"events": events, "cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, **more}
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


# -- receive only ---------------------------------------------------------------------------------------------------


async def receive(port: int, connections: int, seconds: float, lengths: Sequence[int], rate: float | None) -> None:
    """Count frames; read the timestamps where the load is paced."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    numbers = itertools.count()
    late = Sketch()
    seen = 0

    class Client(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            nonlocal seen
            raw = frame.get_payload_as_bytes()
            seen += 1
            if rate is not None and (at := raw.find(_AT)) > 0:
                stamp = datetime.fromisoformat(raw[at + len(_AT) : at + len(_AT) + _STAMP].decode())
                late.add(round((time.time() - stamp.timestamp()) * 1e6))
            elif rate is None and raw.startswith(_TERMINAL):
                transport.send(WSMsgType.TEXT, _request(next(numbers), lengths))

    url = f"ws://127.0.0.1:{port}/ws"
    transports = [
        (await ws_connect(Client, url, use_aiofastnet=False, read_buffer_init_size=2048))[0] for _ in range(connections)
    ]
    seen, cpu, wall = 0, time.process_time(), time.perf_counter()
    if rate is None:
        for transport in transports:
            transport.send(WSMsgType.TEXT, _request(next(numbers), lengths))
        await asyncio.sleep(seconds)
    else:
        async for at in _paced(rate / lengths[0], seconds):
            transports[at % connections].send(WSMsgType.TEXT, _request(next(numbers), lengths))
        await asyncio.sleep(0.5)
    p50, p99 = late.percentiles_ms((50, 99))
    _told(seen, cpu, wall, p50=p50, p99=p99)


async def _paced(rate: float, seconds: float) -> "Any":
    """Yield numbers, so many a second."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for at in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + at / rate - loop.time()))
        yield at


# -- the generator --------------------------------------------------------------------------------------------------


def _target(url: str) -> Target:
    """A target that may be as slow as a client that does nothing else makes it seem."""
    return Target(target=TargetTable(url=url), bounds=Bounds(factor=60))


def _behaviour(lengths: Sequence[int]) -> Behaviour:
    """Ask, each time for a run of the next length."""
    following = itertools.cycle(lengths)

    async def act(person: Person) -> str | None:
        token = person.token()
        turn = await person.ask("chat", load_server.script(token, next(following)), token, label="bench")
        await person.ended(turn)
        return turn.problem

    return Behaviour("bench", 1.0, (), act)


async def judge(port: int, connections: int, seconds: float, lengths: Sequence[int], rate: float | None) -> None:
    """Have users of the generator's ask again and again, or at a pace."""
    from load.generator import Generator
    from load.measure import DELIVERY
    from load.settings import Settings

    url = f"ws://127.0.0.1:{port}/ws"
    behaviour = _behaviour(lengths)
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as out:
        generator = Generator(Settings(_target(url), url, out))
        await generator.begin()
        people = [generator.person() for _ in range(connections)]
        for person in people:
            await person.connect("bench")
        events, cpu, wall = generator.stream.judge.world.events, time.process_time(), time.perf_counter()
        if rate is None:
            until = wall + seconds
            await asyncio.gather(*(_again(generator, person, behaviour, until) for person in people))
        else:
            acting = [
                asyncio.create_task(generator.act(people[at % connections], behaviour))
                async for at in _paced(rate / lengths[0], seconds)
            ]
            await asyncio.gather(*acting)
        generator.stream.finish()
        late = Sketch()
        for (what, _, _), sketch in generator.stream.measure.settled().items():
            if what.startswith(DELIVERY):
                late.merge(sketch)
        p50, p99 = late.percentiles_ms((50, 99))
        world, findings = generator.stream.judge.world, dict(generator.stream.judge.violations)
        _told(world.events - events, cpu, wall, p50=p50, p99=p99, findings=findings)
        await generator.end()


async def _again(generator: Any, person: Person, behaviour: Behaviour, until: float) -> None:
    while time.perf_counter() < until:
        await generator.act(person, behaviour)


async def idle(port: int, connections: int) -> None:
    """Hold connections of the generator's open; tell by how much memory has grown."""
    from load.generator import Generator
    from load.settings import Settings

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    import psutil

    url = f"ws://127.0.0.1:{port}/ws"
    process = psutil.Process()
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as out:
        generator = Generator(Settings(_target(url), url, out))
        first = generator.person()
        await first.connect("bench")
        before = process.memory_info().rss
        cpu, wall = time.process_time(), time.perf_counter()
        people = [generator.person() for _ in range(connections)]
        for person in people:
            assert isinstance(person, Fast)
            problem = await person.connect("bench")
            assert problem is None, problem
            if generator.stream.waiting > 1000:
                generator.stream.flush()
        generator.stream.flush()
        _told(0, cpu, wall, kb=(process.memory_info().rss - before) / 1000)


# -- Locust ---------------------------------------------------------------------------------------------------------


def locust(port: int, connections: int, seconds: float, lengths: Sequence[int]) -> None:
    """Locust with websocket-client, a greenlet for each connection, as commonly written."""
    import json

    import gevent
    import websocket
    from locust import User, task
    from locust.env import Environment

    numbers = itertools.count()
    seen = 0

    class WebSocketUser(User):
        def on_start(self) -> None:
            self.socket: Any = websocket.create_connection(f"ws://127.0.0.1:{port}/ws")
            self.socket.recv()

        @task
        def ask(self) -> None:
            nonlocal seen
            began = time.perf_counter()
            self.socket.send(_request(next(numbers), lengths))
            fire: Any = self.environment.events.request.fire
            while True:
                event = json.loads(self.socket.recv())
                seen += "event_id" in event
                took = (time.perf_counter() - began) * 1000
                fire(request_type="WS", name=event["type"], response_time=took, response_length=0, exception=None)
                if event["type"] == "agent_completed":
                    return

    environment = Environment(user_classes=[WebSocketUser])
    runner = environment.create_local_runner()
    runner.start(connections, spawn_rate=100)  # Locust warns of more
    while runner.user_count < connections:
        gevent.sleep(0.1)
    before, cpu, wall = seen, time.process_time(), time.perf_counter()
    gevent.sleep(seconds)
    _told(seen - before, cpu, wall)
    sys.stdout.flush()
    runner.quit()


def main() -> None:
    """Be the client, or the server, that the arguments name: NAME [PORT CONNECTIONS [SECONDS LENGTHS [RATE]]]."""
    name, *words = sys.argv[1:]
    on_core(name != "server")
    if name == "server":
        load_server.main()
        return
    port, connections = map(int, words[:2])
    if name == "idle":
        _run(idle(port, connections))
        return
    seconds, lengths = float(words[2]), [int(length) for length in words[3].split(",")]
    if name == "locust":
        locust(port, connections, seconds, lengths)
    else:
        work = {"receive": receive, "judge": judge}[name]
        _run(work(port, connections, seconds, lengths, float(words[4]) if words[4:] else None))


if __name__ == "__main__":
    main()

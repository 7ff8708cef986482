"""Legal histories of five-events at random: what several users of an engine that keeps every promise may see.

A `Town` has clients and agents, each a generator that is continued at random. What an agent tells is put on the lines
(connections) of its user at once and arrives in an order that is kept within a run only. Clients ask for runs, also
concurrent ones on one thread, stop them, lose connections, come back and resume, ask twice, name what is not theirs,
and send nonsense.
"""

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from conformance.history.operations import Action, Asked, Awaited, ClosedBy
from conformance.script import Script, answer
from tests.checks.histories import ALICE, BOB, CAROL, History, Run, Socket

NOT_FOUND = "There is no such run of yours."
_CLOSES = ((ClosedBy.KIT, 1000), (ClosedBy.TARGET, 1012), (ClosedBy.TARGET, 4408), (ClosedBy.NETWORK, 1006))
_NONSENSE = ((Action.GARBAGE, "not JSON", "bad_json"), (Action.UNKNOWN_TYPE, "type", "unknown_type"))

Actor = Iterator[None]
Arrival = Callable[[], object]


class Line:
    """One connection, and what is under way on it: first in, first out for each run, and for what is of no run."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.open = True
        self.under_way: dict[str, deque[Arrival]] = {}

    def put(self, key: str, arrival: Arrival) -> None:
        """Send something."""
        self.under_way.setdefault(key, deque()).append(arrival)

    def arrive(self, random: Random) -> None:
        """Have something arrive."""
        key = random.choice(sorted(self.under_way))
        self.under_way[key].popleft()()
        if not self.under_way[key]:
            del self.under_way[key]


class Told:
    """One run as its client knows it: `seen` is the seq up to which events arrived on the line of `known`."""

    def __init__(self, run: Run, script: Script | None) -> None:
        self.run = run
        self.script = script
        self.accepted = False
        self.stopping = False
        self.over = False
        self.seen: dict[Line, int] = {}


class Customer:
    """One user: the lines, and the runs asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[Line] = []
        self.runs: list[Told] = []


class Town:
    """Everybody, and the history of it all."""

    def __init__(self, random: Random, **header: Any) -> None:
        self.random = random
        self.history = History(number=random.randrange(1, 1000), **header)
        self.customers: list[Customer] = []
        self.actors: list[Actor] = []
        self.extras = random.random() < 0.3
        self.traces = random.random() < 0.5
        self.crossing = random.random() < 0.3

    def live(self) -> History:
        """Have everybody act until all is done and has arrived."""
        while self.actors or self._lines():
            lines = self._lines()
            if lines and (not self.actors or self.random.random() < 0.6):
                self.random.choice(lines).arrive(self.random)
            else:
                self._continue(self.random.randrange(len(self.actors)))
            if self.random.random() < 0.05:
                self._interlude()
        return self.history

    def _lines(self) -> list[Line]:
        return [line for customer in self.customers for line in customer.lines if line.under_way]

    def _continue(self, number: int) -> None:
        if next(self.actors[number], self) is self:
            del self.actors[number]

    def _interlude(self) -> None:
        lines = [line for customer in self.customers for line in customer.lines if line.open]
        match self.random.randrange(4):
            case 0:
                self.history.after(self.random.randrange(30))
            case 1:
                self.history.lagged()
            case 2 if lines:
                self.random.choice(lines).socket.pinged()
            case 3 if lines:
                frame = self.random.choice(("heartbeat", "acme.presence"))
                self.random.choice(lines).put("", lambda: lines[0].socket.history.after(0))
                self.random.choice(lines).socket.receives({"type": frame, "payload": {}})

    # -- the engine -------------------------------------------------------------------------------------------------

    def tell(self, customer: Customer, told: Told, name: str, *words: Any, **fields: Any) -> None:
        """An event happens, and is sent to all who are there."""
        run = told.run
        if self.traces:
            fields["traceparent"] = f"00-{run.run_id.replace('-', '')}-00f067aa0ba902b7-01"
        if self.extras:
            fields["acme.region"] = {"name": "eu-1", "zones": [1, 2]}
        getattr(run, name)(*words, on=(), **fields)
        for line in customer.lines:
            if line.open:
                self.send(line, told, run.seq)

    def send(self, line: Line, told: Told, seq: int) -> None:
        """Send an event of a run, for the first time or again."""

        def arrive() -> None:
            told.run.again(seq, on=line.socket)
            told.seen[line] = seq

        line.put(told.run.run_id, arrive)

    def agent(self, customer: Customer, told: Told) -> Actor:
        """Tell a run from its start to its end."""
        yield
        self.tell(customer, told, "started")
        yield
        self.tell(customer, told, "thinking")
        running: list[tuple[str, str]] = []
        steps = self._steps(customer, told, running)
        for _ in steps:
            yield
            if told.stopping:
                break
        if told.stopping and not told.over:
            for call_id, name in running:
                stopped = {"code": "stopped", "message": "The run was stopped."}
                self.tell(customer, told, "tool_completed", call_id, name, error=stopped)
            self.tell(customer, told, "stopped")
        told.over = True

    def _steps(self, customer: Customer, told: Told, running: list[tuple[str, str]]) -> Actor:
        script = told.script if told.script is not None else self.script(told.run.canary)
        calls = 0
        for step in script:
            if "think" in step:
                self.tell(customer, told, "thinking", step["think"], step=2)
            elif "say" in step:
                half = self.random.randrange(1, max(2, len(step["say"])))
                for piece in (step["say"][:half], step["say"][half:]):
                    self.tell(customer, told, "chunk", piece)
                    yield
            elif "fail" in step:
                told.over = True
                self.tell(customer, told, "failed", "model_failed", step["fail"])
                return
            else:
                for call in step.get("parallel", [step]):
                    calls += 1
                    running.append((f"call-{calls}", call["tool"]))
                    self.tell(customer, told, "tool_started", *running[-1], parameters=call["args"])
                    yield
                while running:
                    call_id, name = running.pop(self.random.randrange(len(running)))
                    wrong = {"error": {"code": "tool_failed", "message": "it broke"}} if name == "fail" else {}
                    self.tell(customer, told, "tool_completed", call_id, name, **wrong)
                    yield
            yield
        told.over = True
        self.tell(customer, told, "completed", answer(script))

    def script(self, canary: str) -> Script:
        """What an agent is to do."""
        random = self.random
        echo: dict[str, Any] = {"tool": "echo", "args": {"text": canary}}
        fail: dict[str, Any] = {"tool": "fail", "args": {"message": "it broke"}}
        steps: list[dict[str, Any]] = [
            {"think": "\u0000 hm \u202e \U0001f914"},
            echo,
            fail,
            {"parallel": [echo, fail, echo]},
            {"say": f"so {canary}. "},
            {"say": ""},
        ]
        chosen = [random.choice(steps) for _ in range(random.randrange(4))]
        last = {"fail": "the model is down"} if random.random() < 0.2 else {"say": f"It is done: {canary} \U0001f680"}
        return [*chosen, last]

    # -- the clients ------------------------------------------------------------------------------------------------

    def connect(self, customer: Customer) -> Iterator[None]:
        """Open a connection; the newest line is it."""
        socket = self.history.connecting(customer.name)
        yield
        socket.connected()
        yield
        socket.greeted()
        customer.lines.append(Line(socket))

    def client(self, customer: Customer, acts: int) -> Actor:
        """Do this and that."""
        yield from self.connect(customer)
        for _ in range(acts):
            yield
            yield from self.random.choice(
                (self.ask, self.ask, self.ask, self.come_back, self.stop, self.second, self.trespass, self.babble)
            )(customer)
        while any(line.under_way for line in customer.lines) or not all(told.over for told in customer.runs):
            yield
        if self.random.random() < 0.5:
            for line in customer.lines:
                if line.open:
                    self.close(line)

    def ask(self, customer: Customer) -> Actor:
        """Ask for a run: on a new thread, or on one that is there."""
        yield
        line = self.line(customer)
        canary = self.history.canary()
        script = self.script(canary) if self.random.random() < 0.7 else None
        known = [told.run.thread_id for told in customer.runs if told.accepted]
        thread_id = self.random.choice(known) if known and self.random.random() < 0.4 else None
        run = line.socket.request(script, canary=canary, thread_id=thread_id)
        if self.random.random() < 0.1:
            request_id = run.asked.request_id
            line.put("", lambda: line.socket.error("rate_limited", "Too many runs.", request_id=request_id))
            return
        told = Told(run, script)
        customer.runs.append(told)
        self.answer(line, told)
        self.actors.append(self.agent(customer, told))

    def plain(self, customer: Customer) -> Actor:
        """Connect, ask for one run that thinks, calls three tools and answers in two pieces or more, and stay."""
        yield from self.connect(customer)
        yield
        canary = self.history.canary()
        line = customer.lines[0]
        told = Told(line.socket.request(plain_script(canary), canary=canary), plain_script(canary))
        customer.runs.append(told)
        self.answer(line, told)
        self.actors.append(self.agent(customer, told))

    def answer(self, line: Line, told: Told, *, duplicate: bool = False) -> None:
        """Accept a request."""

        def arrive() -> None:
            told.run.accepted(on=line.socket, duplicate=duplicate)
            told.accepted = True

        line.put("", arrive)

    def line(self, customer: Customer) -> Line:
        """One of the lines that are open."""
        return self.random.choice([line for line in customer.lines if line.open])

    def close(self, line: Line) -> None:
        """End a connection; what is under way is lost."""
        by, code = self.random.choice(_CLOSES)
        line.open = False
        line.under_way = {}
        line.socket.closed(by, code)

    def come_back(self, customer: Customer) -> Actor:
        """Lose all connections, open another, and resume what was not seen to its end."""
        yield
        seen = {told: max((told.seen.get(line, 0) for line in customer.lines), default=0) for told in customer.runs}
        for line in customer.lines:
            if line.open:
                self.close(line)
        yield from self.connect(customer)
        line = customer.lines[-1]
        for told, seq in seen.items():
            yield from self.resume(line, told, seq)

    def resume(self, line: Line, told: Told, seq: int) -> Actor:
        """Ask for a run's events after `seq`; for the run itself once more, if it was not accepted yet."""
        socket, run = line.socket, told.run
        if not told.accepted:
            asked = run.asked
            again: dict[str, Any] = {"request_id": asked.request_id, "canary": asked.canary, "script": asked.script}
            socket.asks(asked.action, thread_id=asked.thread_id, **again)
            self.answer(line, told, duplicate=True)
            while not told.accepted:
                yield
        if line.open:
            if not self.crossing:
                line.under_way.pop(run.run_id, None)
            socket.resumes(run, seq)
            for missed in range(seq + 1, run.seq + 1):
                self.send(line, told, missed)

    def second(self, customer: Customer) -> Actor:
        """Open one more connection."""
        yield from self.connect(customer)

    def stop(self, customer: Customer) -> Actor:
        """Stop a run that is at work."""
        yield
        line = self.line(customer)
        going = [told for told in customer.runs if told.accepted and not told.over]
        if going:
            told = self.random.choice(going)
            line.socket.stops(told.run)
            told.stopping = True

    def trespass(self, customer: Customer) -> Actor:
        """Name a run that is not one's own, or is none."""
        yield
        line = self.line(customer)
        others = [(other.name, told) for other in self.customers if other is not customer for told in other.runs]
        action = self.random.choice((Action.STOP, Action.RESUME))
        if others and self.random.random() < 0.7:
            owner, told = self.random.choice(others)
            line.socket.asks(action, run_id=told.run.run_id, owner=owner)
        else:
            line.socket.asks(action, run_id=self.history.id(), owner="")
        line.put("", lambda: line.socket.error("not_found", NOT_FOUND))

    def babble(self, customer: Customer) -> Actor:
        """Send what cannot be understood, or a ping; or give up waiting, for want of time of one's own."""
        yield
        line = self.line(customer)
        kind, behaviour, code = self.random.choice(_NONSENSE)
        match self.random.randrange(3):
            case 0:
                line.socket.asks(kind, behaviour=behaviour)
                line.put("", lambda: line.socket.error(code))
            case 1:
                asked = line.socket.asks(Action.PING, request_id=self.history.id())
                pong = {"type": "pong", "payload": {"correlation_id": asked.request_id}}
                line.put("", lambda: line.socket.receives(pong))
            case 2:
                waited_for: Asked | None = customer.runs[-1].run.asked if customer.runs else None
                line.socket.gave_up(Awaited.TERMINAL, waited_for, waited_ms=20, late=True)


def plain_script(canary: str) -> Script:
    """What a plain run does."""
    echo: dict[str, Any] = {"tool": "echo", "args": {"text": canary}}
    fail: dict[str, Any] = {"tool": "fail", "args": {"message": "it broke"}}
    return [echo, {"parallel": [echo, fail]}, {"say": f"Half of {canary} "}, {"say": "and the other half."}]


def legal_history(random: Random, **header: Any) -> History:
    """Return what one to three users see."""
    town = _town(random, **header)
    return town.live()


def legal_history_of(random: Random, *names: str) -> tuple[History, list[Run]]:
    """Return the same where these users are there, too: each asks for one plain run and never leaves."""
    town = _town(random)
    plain = [Customer(name) for name in names]
    for customer in plain:
        town.customers.append(customer)
        town.actors.append(town.plain(customer))
    return town.live(), [customer.runs[0].run for customer in plain]


def _town(random: Random, **header: Any) -> Town:
    town = Town(random, **header)
    for name in (ALICE, BOB, CAROL)[: random.randrange(1, 4)]:
        customer = Customer(name)
        town.customers.append(customer)
        town.actors.append(town.client(customer, random.randrange(1, 12)))
    return town

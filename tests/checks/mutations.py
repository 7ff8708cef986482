"""One thing wrong with a legal history: what is done to it, and which requirements must then be violated.

Each `Mutation` changes how one run, the subject's, arrives on its one connection. `breaks` are the requirements that
must be violated by it, all of them and no others (but for `STATISTICAL`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from conformance.history.operations import Asked, Awaited, GaveUp, Operation, Received
from conformance.history.recorder import frame_operation
from tests.checks.histories import History, Run

Frame = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """A change of a history, and what it breaks; `apply` raises `Inapplicable` where it would break nothing."""

    name: str
    breaks: frozenset[str]
    apply: "Callable[[Subject], None]"


class Inapplicable(Exception):
    """This cannot go wrong here."""


class Subject:
    """A legal history and the run in it that is to go wrong: told on one connection, whole, and never resumed.

    `at` are the places of its events in the history's operations, in the order of their seq; `other` is a run of
    another user of which at least one event was seen.
    """

    def __init__(self, history: History, run: Run, other: Run, random: Random) -> None:
        self.history = history
        self.operations: list[Operation] = history.operations
        self.run = run
        self.other = other
        self.random = random
        self.conn = run.socket.conn
        self.at = [place for place, op in enumerate(self.operations) if self._tells(op)]

    def _tells(self, op: Operation) -> bool:
        if not isinstance(op, Received) or op.conn != self.conn:
            return False
        frame = json.loads(op.raw)
        return frame.get("run_id") == self.run.run_id and "seq" in frame

    def knows(self, number: int) -> bool:
        """Tell whether the other run was accepted before an event arrived: its ids prove something from then on."""
        return any(self._accepts(op) for op in self.operations[: self.place(number)])

    def _accepts(self, op: Operation) -> bool:
        if not isinstance(op, Received) or op.conn != self.other.socket.conn:
            return False
        return bool(json.loads(op.raw)["type"] == "run_accepted")

    def frame(self, number: int) -> Frame:
        """The frame of an event, by its seq from 1, or from the last by -1."""
        frame: Frame = json.loads(self.operations[self.place(number)].raw)  # type: ignore[attr-defined]
        return frame

    def place(self, number: int) -> int:
        """Where an event stands in the history, by its seq from 1, or from the last by -1."""
        return self.at[number - 1 if number > 0 else number]

    def of_type(self, wire_type: str) -> list[int]:
        """The seqs of all events of a type."""
        return [seq for seq in range(1, len(self.at) + 1) if self.frame(seq)["type"] == wire_type]

    def replace(self, number: int, frame: Frame) -> None:
        """Have an event arrive as another frame."""
        place = self.place(number)
        self.operations[place] = self._received(self.operations[place].at, frame)

    def _received(self, at: int, frame: Frame) -> Operation:
        return frame_operation(Received, at, self.conn, json.dumps(frame))

    def change(self, number: int, **fields: Any) -> None:
        """Change fields of an event's envelope."""
        self.replace(number, self.frame(number) | fields)

    def drop(self, number: int) -> None:
        """Have an event not arrive."""
        del self.operations[self.place(number)]

    def never_happens(self, number: int) -> None:
        """Have an event not happen: those after it are numbered accordingly."""
        seq = self.frame(number)["seq"]
        for later in range(seq + 1, len(self.at) + 1):
            self.change(later, seq=later - 1)
        self.drop(number)

    def happens(self, after: int, frame: Frame) -> None:
        """Have one more event happen after another: those after it are numbered accordingly."""
        before = self.frame(after)
        for later in range(before["seq"] + 1, len(self.at) + 1):
            self.change(later, seq=later + 1)
        place = self.place(after)
        envelope = {"seq": before["seq"] + 1, "event_id": self.history.id(), "timestamp": before["timestamp"]}
        self.operations.insert(place + 1, self._received(self.operations[place].at, frame | envelope))

    def trade(self, number: int) -> None:
        """Have an event and the one after it happen in the other order."""
        first, second = self.frame(number), self.frame(number + 1)
        for place, frame, was in ((number, second, first), (number + 1, first, second)):
            self.replace(place, frame | {"seq": was["seq"], "timestamp": was["timestamp"]})

    def say(self, number: int, **payload: Any) -> None:
        """Change fields of an event's payload."""
        frame = self.frame(number)
        self.replace(number, frame | {"payload": frame["payload"] | payload})

    def silence(self, after: int) -> None:
        """Have nothing happen after an event, and the kit wait in vain."""
        for place in reversed(self.at[after:]):
            del self.operations[place]
        now = max(op.at for op in self.operations) + 5_000_000
        self.operations.append(GaveUp(now, self.conn, Awaited.TERMINAL, 5_000, self.run.asked.ask))


def _arrives_out_of_order(subject: Subject) -> None:
    number = subject.random.randrange(1, len(subject.at))
    one, two = subject.place(number), subject.place(number + 1)
    first, second = subject.operations[one], subject.operations[two]
    subject.operations[one] = msgspec.structs.replace(second, at=first.at)
    subject.operations[two] = msgspec.structs.replace(first, at=second.at)


def _arrives_twice(subject: Subject) -> None:
    place = subject.at[subject.random.randrange(len(subject.at))]
    later = subject.random.randrange(place, len(subject.operations)) + 1
    again = msgspec.structs.replace(subject.operations[place], at=subject.operations[later - 1].at)
    subject.operations.insert(later, again)


def _any(subject: Subject) -> int:
    return subject.random.randrange(1, len(subject.at) + 1)


def _middle(subject: Subject) -> int:
    return subject.random.randrange(2, len(subject.at))


def _answered(subject: Subject, **fields: Any) -> None:
    for place, op in enumerate(subject.operations):
        if isinstance(op, Received) and op.conn == subject.conn:
            frame = json.loads(op.raw)
            if frame["type"] == "run_accepted" and frame["payload"]["run_id"] == subject.run.run_id:
                frame["payload"] |= fields
                subject.operations[place] = subject._received(op.at, frame)


def _canary_of(run: Run) -> str:
    assert isinstance(run.asked, Asked)
    return run.asked.canary or ""


def _later(subject: Subject) -> int:
    return subject.random.randrange(2, len(subject.at) + 1)


def _knowing(subject: Subject) -> int:
    """An event in the middle, after the other run was accepted."""
    known = [number for number in range(2, len(subject.at)) if subject.knows(number)]
    if not known:
        raise Inapplicable
    return subject.random.choice(known)


def _tool(subject: Subject) -> int:
    """The first tool's start, which must come after the other run was accepted."""
    number = subject.of_type("tool_executing")[0]
    if not subject.knows(number):
        raise Inapplicable
    return number


def _failed_tool(subject: Subject) -> int:
    done = subject.of_type("tool_completed")
    return next(number for number in done if "error" in subject.frame(number)["payload"])


def _looks_well(subject: Subject) -> None:
    number = _failed_tool(subject)
    frame = subject.frame(number)
    del frame["payload"]["error"]
    subject.replace(number, frame)
    subject.say(number, status="ok", result="fine")


def _told_to_another(subject: Subject, number: int) -> None:
    """Have an event arrive on a connection of the other run's user."""
    op = subject.operations[subject.place(number)]
    ops = subject.operations
    last = max(place for place, each in enumerate(ops) if getattr(each, "conn", 0) == subject.other.socket.conn)
    ops.insert(last, msgspec.structs.replace(op, conn=subject.other.socket.conn, at=ops[last].at))


def _mutation(name: str, *breaks: str, apply: Callable[[Subject], None]) -> Mutation:
    return Mutation(name, frozenset(breaks), apply)


MUTATIONS = (
    # dropped, doubled, swapped on the way
    _mutation("an event is lost", "ORD-01", apply=lambda s: s.drop(_middle(s))),
    _mutation("an event arrives twice", "DLV-04", apply=_arrives_twice),
    _mutation("two events arrive in the wrong order", "ORD-02", apply=_arrives_out_of_order),
    _mutation("a start reaches another user, too", "ISO-02", "ISO-03", apply=lambda s: _told_to_another(s, 1)),
    _mutation(
        "a thought reaches another user, too", "ISO-01", "ISO-02", "ISO-03", apply=lambda s: _told_to_another(s, 2)
    ),
    # never happened
    _mutation("no start", "EVT-01", apply=lambda s: s.never_happens(1)),
    _mutation("no thought", "EVT-04", apply=lambda s: s.never_happens(2)),
    _mutation(
        "a tool never starts", "EVT-05", "EVT-06", apply=lambda s: s.never_happens(s.of_type("tool_executing")[0])
    ),
    _mutation(
        "a tool never completes", "EVT-05", "EVT-07", apply=lambda s: s.never_happens(s.of_type("tool_completed")[0])
    ),
    _mutation("a piece is left out", "EVT-15", apply=lambda s: s.never_happens(s.of_type("message_chunk")[0])),
    _mutation("the run falls silent", "EVT-02", apply=lambda s: s.silence(s.random.randrange(3))),
    _mutation("a tool is never done", "EVT-02", "EVT-05", apply=lambda s: s.silence(s.of_type("tool_executing")[0])),
    # happened twice
    _mutation("a second start", "EVT-01", "EVT-14", apply=lambda s: s.happens(_middle(s), s.frame(1))),
    _mutation("a second end", "EVT-02", "EVT-03", apply=lambda s: s.happens(len(s.at), s.frame(-1))),
    _mutation("a thought after the end", "EVT-03", apply=lambda s: s.happens(len(s.at), s.frame(2))),
    _mutation(
        "a piece twice",
        "EVT-15",
        apply=lambda s: s.happens(s.of_type("message_chunk")[0], s.frame(s.of_type("message_chunk")[0])),
    ),
    _mutation(
        "a tool completes twice",
        "EVT-05",
        apply=lambda s: s.happens(s.of_type("tool_completed")[-1], s.frame(s.of_type("tool_completed")[0])),
    ),
    # happened in the wrong order
    _mutation("a thought before the start", "EVT-01", apply=lambda s: s.trade(1)),
    _mutation("the end before the last piece", "EVT-03", "EVT-15", apply=lambda s: s.trade(len(s.at) - 1)),
    # of another run, thread or user
    _mutation("run_id null", "IDN-01", apply=lambda s: s.change(_any(s), run_id=None)),
    _mutation("run_id is a placeholder", "IDN-02", apply=lambda s: s.change(_later(s), run_id="undefined")),
    _mutation("another thread", "IDN-03", apply=lambda s: s.change(_middle(s), thread_id=s.history.id())),
    _mutation("another user", "IDN-03", "IDN-08", apply=lambda s: s.change(_middle(s), user_id="user-nobody-knows")),
    _mutation(
        "another's thread", "IDN-03", "ISO-02", apply=lambda s: s.change(_knowing(s), thread_id=s.other.thread_id)
    ),
    _mutation(
        "another's run", "ISO-02", "ISO-03", "ORD-01", apply=lambda s: s.change(_knowing(s), run_id=s.other.run_id)
    ),
    # other ids
    _mutation("an event id again", "IDN-06", apply=lambda s: s.change(_middle(s), event_id=s.frame(1)["event_id"])),
    _mutation("another request", "IDN-07", apply=lambda s: s.say(1, request_id=f"req-{s.history.id()}")),
    _mutation("another answer", "IDN-07", apply=lambda s: _answered(s, request_id=f"req-{s.history.id()}")),
    # other words
    _mutation(
        "another's canary", "ISO-01", apply=lambda s: s.say(_tool(s), parameters={"text": f"hm {_canary_of(s.other)}"})
    ),
    _mutation(
        "another's run id in words",
        "ISO-02",
        apply=lambda s: s.say(_tool(s), parameters={"text": f"hm {s.other.run_id}"}),
    ),
    _mutation("the end without an answer", "EVT-09", "EVT-15", apply=lambda s: s.say(-1, final_response="")),
    _mutation("another answer in the end", "EVT-15", apply=lambda s: s.say(-1, final_response="no")),
    _mutation("a failed tool looks well", "EVT-11", apply=_looks_well),
    _mutation("a result and an error", "EVT-08", apply=lambda s: s.say(_failed_tool(s), result="fine")),
    # other times and numbers
    _mutation("a time before", "ORD-03", apply=lambda s: s.change(_middle(s), timestamp=s.history.stamp(-1_000))),
    _mutation(
        "a time without a zone", "SCH-03", apply=lambda s: s.change(_any(s), timestamp="2026-01-01T00:00:00.000")
    ),
    _mutation("a time long ago", "SCH-03", apply=lambda s: s.change(1, timestamp="2025-01-01T00:00:00.000Z")),
    _mutation("a number left out", "ORD-01", apply=lambda s: s.change(-1, seq=len(s.at) + 1)),
    _mutation("no number", "ORD-01", "SCH-02", apply=lambda s: s.change(_middle(s), seq="x")),
)

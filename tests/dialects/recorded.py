"""Recordings written by hand, of any dialect, and what becomes of them."""

import io
import json
from collections.abc import Iterable
from typing import Any

from conformance.catalogue import load
from conformance.dialects import named
from conformance.dialects.dialect import Answer, Exchange
from conformance.events import Event, Kind, RunEvent
from conformance.history.operations import Action, Asked
from conformance.recording import judge_frames
from conformance.verdict import Verdict

CATALOGUE = load()


def encode(frame: Any) -> bytes:
    return frame if isinstance(frame, bytes) else json.dumps(frame).encode()


def decoded(dialect: str, frames: Iterable[bytes], *, closed: bool = True) -> list[Event]:
    """The events of one connection, to its end."""
    decoder = named(dialect).decoder()
    events = [event for frame in frames for event in decoder.decode(frame)]
    return [*events, *(decoder.closed() if closed else ())]


def story(events: Iterable[Event]) -> list[tuple[str, Any]]:
    """Kinds and payloads of the run events that say something."""
    return [(e.kind.name, e.payload) for e in events if isinstance(e, RunEvent) and e.kind is not Kind.OTHER]


def kinds(events: Iterable[Event]) -> list[str]:
    return [kind for kind, _ in story(events)]


def judged(dialect: str, recording: bytes) -> Verdict:
    verdict = judge_frames(io.BytesIO(recording), name="by hand", dialect=dialect, catalogue=CATALOGUE)
    assert verdict.harness_errors == ()
    return verdict


def violated(dialect: str, recording: bytes) -> set[str]:
    return {requirement.id for requirement in judged(dialect, recording).requirements if requirement.violations}


def asked(action: Action = Action.START, **fields: Any) -> Asked:
    names = {"request_id": "req-000102030405060708090a0b", **fields}
    return Asked(at=1, ask=1, conn=1, user="user-a", action=action, **names)


def exchanges(dialect: str, url: str, question: Asked, text: str = "hello", *answers: bytes) -> list[Exchange]:
    """The exchanges of a question; the preparing ones are answered by `answers`, else by an empty object."""
    steps = named(dialect).exchanges(url, question, text)
    bodies = iter(answers)
    sent: list[Exchange] = []
    try:
        sent.append(next(steps))
        while True:
            sent.append(steps.send(Answer(200, body=next(bodies, b"{}"))))
    except StopIteration:
        return sent

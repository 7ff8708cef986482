"""What the journal keeps of events, and makes of it again: the same, byte for byte."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reference_impl.context import RunId, ThreadId, UserId
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.rewriting import rewritten
from reference_impl.journal import Journal
from reference_impl.model import Conversation
from reference_impl.run import NewRun, StoredRun
from tests.reference_impl.engine_harness import spawn
from tests.reference_impl.test_engine_parts import context, opened

STRANGE = 'a\n{"b" \0\x85\u2028\u2029 \\ läuft № 🚀, 7 agent_error'


async def begin(journal: Journal, **ids: object) -> tuple[UserEventEmitter, StoredRun]:
    run = NewRun(context(**ids), f"message {STRANGE}")
    await journal.accept(run, may_insert=True, thread_must_exist=False)
    stored = await journal.find_run(run.context.user_id, run.context.run_id)
    assert stored is not None
    return UserEventEmitter(run.context, journal), stored


async def everything(journal: Journal, run: StoredRun, *, page: int) -> list[Event]:
    events: list[Event] = []
    while found := await journal.events(run, after_seq=events[-1].seq if events else 0, limit=page):
        assert len(found) <= page
        events += found
    return events


@pytest.mark.parametrize("page", [1, 3, 256])
async def test_events_are_read_as_they_were_told(tmp_path: Path, page: int) -> None:
    path = tmp_path / "journal.sqlite"
    journal, delivered = await opened(path)
    ids = {
        "run_id": RunId('läuft "№", 🚀 {}'),
        "thread_id": ThreadId("t\\"),
        "user_id": UserId('al"ice'),
        "agent_name": "{}",
    }
    voices = [await begin(journal, **ids), await begin(journal)]
    for size in (1, 4, 2):
        for number in range(size):
            for emitter, _ in voices:
                emitter.emit(EventType.AGENT_THINKING, {"thought": f"{STRANGE}{number}", "step": number})
        await voices[0][0].flush()
    for emitter, _ in voices:
        emitter.emit(EventType.AGENT_COMPLETED, {"final_response": STRANGE, "duration_ms": 1})
    await journal.close()
    again, _ = await opened(path)
    for _, run in voices:
        told = [event for event in delivered if event.run_id == run.context.run_id]
        assert [event.seq for event in told] == list(range(1, 9))
        assert await everything(again, run, page=page) == told
        assert await again.events(run, after_seq=3, limit=page) == told[3 : 3 + page]
        assert [await again.seq_of(run, event.event_id) for event in told] == list(range(1, 9))
    assert await again.seq_of(voices[0][1], delivered[1].event_id) is None
    await again.close()


async def test_an_event_in_other_words_is_kept_whole(tmp_path: Path) -> None:
    journal, delivered = await opened(tmp_path / "journal.sqlite")
    emitter, run = await begin(journal)
    event = emitter.encode(EventType.AGENT_THINKING, {"thought": STRANGE, "step": 1})
    journal.append(rewritten(event, event_id="an id of its own", **{"acme.mood": STRANGE}))
    emitter.emit(EventType.MESSAGE_CHUNK, {"text": "after it"})
    read = await journal.events(run)
    assert [event.text for event in read] == [event.text for event in delivered]
    assert [event.event_id for event in read] == ["an id of its own", delivered[1].event_id]
    assert await journal.seq_of(run, "an id of its own") == 1
    await journal.close()


async def test_what_all_events_of_a_run_share_is_not_kept_with_each(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal, delivered = await opened(path)
    emitter, run = await begin(journal)
    for number in range(50):
        emitter.emit(EventType.MESSAGE_CHUNK, {"text": f"piece {number}"})
    await journal.close()
    with sqlite3.connect(path) as connection:
        [(lines,)] = connection.execute("SELECT lines FROM events").fetchall()
    assert run.context.run_id not in lines
    assert len(lines) < sum(len(event.text) for event in delivered) / 3


async def test_earlier_answers_are_those_of_terminal_events(tmp_path: Path) -> None:
    journal, _ = await opened(tmp_path / "journal.sqlite")
    ids = {"user_id": UserId("alice"), "thread_id": ThreadId("t")}
    endings: list[tuple[EventType, dict[str, Any]]] = [
        (EventType.AGENT_COMPLETED, {"final_response": STRANGE, "duration_ms": 1}),
        (EventType.AGENT_ERROR, {"code": "internal", "message": "no", "retryable": False}),
        (EventType.MESSAGE_CHUNK, {"text": "still at work"}),
    ]
    for type, payload in endings:
        emitter, _ = await begin(journal, **ids)
        emitter.emit(type, payload)
    _, last = await begin(journal, **ids)
    asked = f"user: message {STRANGE}"
    seen = await Conversation(journal, window_bytes=10_000).earlier(last.context)
    assert seen == [asked, f"assistant: {STRANGE}", asked, "assistant: ", asked, "assistant: "]
    await journal.close()


async def test_a_journal_in_another_form_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (run INTEGER, seq INTEGER, event_id TEXT, type TEXT, text TEXT)")
    child = await spawn("--port", "0", "--journal", str(path))
    _, errors = await child.communicate()
    assert child.returncode == 69
    assert errors.decode().startswith(f"reference engine: cannot use {path} as the journal: an earlier engine wrote it")
    assert len(errors.splitlines()) == 1

"""Parts whose rules are not all visible from outside: identity, the journal's failure, the connection's bounds."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from reference_impl.app import Parts
from reference_impl.connection import Connection, Outgoing, Transport
from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId, new_id
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import CloseCode, InvalidIdentity, JournalFailed
from reference_impl.events import Event, EventType, decode_event, format_timestamp, parse_timestamp
from reference_impl.journal import Journal
from reference_impl.model import pieces_of
from reference_impl.run import AcceptOutcome, NewRun
from reference_impl.settings import Settings
from reference_impl.trace import child_of
from tests.reference_impl.engine_harness import SECRET, check_story, engine, script, tool


def context(**ids: object) -> UserExecutionContext:
    fresh = {
        "user_id": UserId("alice"),
        "thread_id": ThreadId(new_id()),
        "run_id": RunId(new_id()),
        "request_id": new_id(),
        "agent_name": "agent",
        "traceparent": child_of(),
    }
    return UserExecutionContext(**{**fresh, **ids})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["user_id", "thread_id", "run_id", "request_id", "agent_name"])
@pytest.mark.parametrize(
    "value", [None, "", "  ", "None", "NULL", "undefined", "registry", "default_user", "a\nb", "x" * 300, 7]
)
def test_a_context_takes_no_id_that_is_none(name: str, value: object) -> None:
    with pytest.raises(InvalidIdentity, match=name) as caught:
        context(**{name: value})
    assert "give" in str(caught.value)


def test_a_context_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        context().user_id = UserId("mallory")  # type: ignore[misc]


@pytest.mark.parametrize(
    "options",
    [{"secret": ""}, {"heartbeat_s": 0}, {"run_limit_s": -1}, {"drain_s": float("nan")}, {"max_message_bytes": 0}],
)
def test_settings_that_make_no_sense_are_named(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Settings.{next(iter(options))}"):
        Settings(**{"secret": SECRET, **options})  # type: ignore[arg-type]


def test_the_secret_is_not_in_the_settings_text() -> None:
    assert SECRET not in repr(Settings(secret=SECRET))


@pytest.mark.parametrize("text", ["", " ", "one", " a  b\n\tc ", "word " * 1_000, "x" * 5_000, "\n\n a"])
def test_pieces_put_together_are_the_text(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert len(pieces) <= 64
    assert all(pieces)


def test_timestamps_survive_a_round_trip() -> None:
    assert format_timestamp(1_700_000_000.123456) == "2023-11-14T22:13:20.123456Z"
    assert parse_timestamp("2023-11-14T22:13:20.123456Z") == 1_700_000_000.123456


async def opened(path: Path) -> tuple[Journal, list[Event]]:
    delivered: list[Event] = []
    journal = Journal(path)
    journal.subscribe(delivered.extend)
    await journal.open()
    return journal, delivered


async def test_events_are_on_disk_before_they_are_delivered(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    on_disk: list[int] = []
    journal, delivered = await opened(path)
    reader = sqlite3.connect(path)
    journal.subscribe(lambda events: on_disk.append(reader.execute("SELECT max(seq) FROM events").fetchone()[0]))
    run = NewRun(context(), "message")
    assert (await journal.accept(run, may_insert=True, thread_must_exist=False))[0] is AcceptOutcome.NEW
    emitter = UserEventEmitter(run.context, journal)
    for count in (1, 3, 700, 2_000):
        for number in range(count):
            emitter.emit(EventType.MESSAGE_CHUNK, {"text": f"{number}"})
        await emitter.flush()
        assert on_disk[-1] == delivered[-1].seq == len(delivered)
    assert [event.seq for event in delivered] == list(range(1, 2_705))
    reader.close()
    await journal.close()


async def test_time_that_goes_back_does_not_show_in_a_run(tmp_path: Path) -> None:
    journal, delivered = await opened(tmp_path / "journal.sqlite")
    run = NewRun(context(), "message")
    await journal.accept(run, may_insert=True, thread_must_exist=False)
    clock = iter([1_000.0, 900.0, 1_001.0])
    emitter = UserEventEmitter(run.context, journal, clock=lambda: next(clock))
    for _ in range(3):
        emitter.emit(EventType.AGENT_THINKING, {"thought": "T", "step": 1})
    await emitter.flush()
    times = [parse_timestamp(decode_event(event).timestamp) for event in delivered]
    assert times == [1_000.0, 1_000.0, 1_001.0]
    await journal.close()


class FullDiskJournal(Journal):
    """Fails to write once `full` is set."""

    full = False

    def _insert_events(self, connection: sqlite3.Connection, events: list[Event]) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super()._insert_events(connection, events)


async def test_a_journal_that_cannot_write_ends_the_connections(caplog: pytest.LogCaptureFixture) -> None:
    async with engine(parts=Parts(journal=FullDiskJournal)) as target, target.web("alice") as web:
        async with target.client("alice") as alice:
            check_story(await alice.run("x"))
            accepted = await alice.start(script(tool("sleep", ms=50, text="x")))
            await alice.have(1, "tool_executing")
            journal = target.assembly.journal
            assert isinstance(journal, FullDiskJournal)
            journal.full = True
            assert await alice.closed() == 1011
            assert "tool_completed" not in str(alice.events(accepted["run_id"]))
        assert (await web.get("/ready")).status_code == 503
        answer = await web.post("/runs", json={"user_request": "x", "request_id": "r"})
        assert (answer.status_code, answer.json()["code"]) == (503, "internal")
    assert "disk is full" in caplog.text
    assert "disk is full" not in answer.text


async def test_a_journal_that_cannot_write_accepts_nothing_more(tmp_path: Path) -> None:
    journal = FullDiskJournal(tmp_path / "journal.sqlite")
    await journal.open()
    first = NewRun(context(), "message")
    await journal.accept(first, may_insert=True, thread_must_exist=False)
    UserEventEmitter(first.context, journal).emit(EventType.AGENT_STARTED, {})
    journal.full = True
    with pytest.raises(JournalFailed):
        await journal.flush()
    with pytest.raises(JournalFailed):
        await journal.accept(NewRun(context(), "message"), may_insert=True, thread_must_exist=False)
    assert await journal.open_runs() == []
    await journal.close()


class Sink:
    """A transport that takes frames only while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.frames: list[str] = []
        self.closed: list[int] = []

    async def send_texts(self, texts: Sequence[str]) -> None:
        await self.open.wait()
        self.frames += texts

    async def close(self, code: int, reason: str) -> None:
        self.closed.append(code)


def connection(sink: Sink, *, frames: int = 4, octets: int = 1_000) -> Connection:
    transport = Transport(sink.send_texts, sink.close)
    return Connection(UserId("alice"), transport, Outgoing(), max_frames=frames, max_bytes=octets, close_grace_s=0.05)


@pytest.mark.parametrize(("frames", "octets"), [(4, 1_000), (1_000, 40)])
async def test_a_full_outbox_closes_with_4408_and_leaves_no_gap(frames: int, octets: int) -> None:
    sink = Sink()
    slow = connection(sink, frames=frames, octets=octets)
    sending = asyncio.create_task(slow.send_all())
    for number in range(20):
        slow.offer(f"frame {number:04}")
    await sending
    assert slow.closing is CloseCode.SLOW_CONSUMER
    assert sink.closed == [4408]
    assert sink.frames == [f"frame {number:04}" for number in range(len(sink.frames))]


async def test_closing_sends_what_is_queued_first_but_not_for_ever() -> None:
    sink = Sink()
    slow = connection(sink)
    slow.offer("last words")
    slow.close(CloseCode.RESTART, "restarting")
    slow.close(CloseCode.INTERNAL, "too late")
    slow.offer("not any more")
    sending = asyncio.create_task(slow.send_all())
    sink.open.set()
    await sending
    assert (sink.frames, sink.closed) == (["last words"], [1012])
    stuck_sink = Sink()
    stuck = connection(stuck_sink)
    sending = asyncio.create_task(stuck.send_all())
    stuck.offer("never read")
    await asyncio.sleep(0)
    stuck.close(CloseCode.CREDENTIALS, "expired")
    await asyncio.wait_for(sending, 5)
    assert (stuck_sink.frames, stuck_sink.closed) == ([], [1008])

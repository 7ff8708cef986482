"""A chat-agent backend that speaks the five-event protocol over WebSocket, with a scripted model."""

import argparse
import asyncio
import base64
import contextlib
import ipaddress
import json
import logging
import os
import signal
import sqlite3
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

log = logging.getLogger("engine")

PROTOCOL = "five-events/1"
CAPABILITIES = ["resume", "stop", "threads", "multi_connection", "text_stream"]
TERMINAL = {"agent_completed", "agent_error", "agent_stopped"}
ALGORITHMS = ["HS256", "HS384", "HS512"]

MAX_MESSAGE_BYTES = 256 * 1024  # above it: a `too_large` error, then close 1009
HARD_MESSAGE_BYTES = 8 * 1024 * 1024  # above it the library closes with 1009 without reading on
MAX_ID_CHARS = 200
MAX_CONNECTIONS = 5000
MAX_ACTIVE_RUNS_PER_USER = 256
QUEUE_FRAMES = 1024
QUEUE_BYTES = 4 * 1024 * 1024
SEND_TIMEOUT_S = 10.0
CLOSE_GRACE_S = 5.0
CHUNK_CHARS = 80
LONGEST_SLEEP_MS = 24 * 3600 * 1000


class WireError(Exception):
    """Something to tell the client in an `error` frame."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ToolError(Exception):
    """A tool call that did not succeed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ModelError(Exception):
    """The model cannot go on."""


# ---------------------------------------------------------------- JSON and small helpers


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


def ms_since(start: float) -> int:
    return max(0, round((time.time() - start) * 1000))


def optional(payload: dict[str, Any], key: str, limit: int = MAX_ID_CHARS) -> str | None:
    value = payload.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > limit:
        raise WireError("bad_message", f"{key} must be a non-empty string of at most {limit} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WireError("bad_message", f"{key} is not valid Unicode") from None
    return value


def need(payload: dict[str, Any], key: str, limit: int = MAX_ID_CHARS) -> str:
    value = optional(payload, key, limit)
    if value is None:
        raise WireError("bad_message", f"{key} is missing")
    return value


def find_script(message: str) -> list[Any] | None:
    """The JSON array after the first `script:` marker that has one."""
    at = message.find("script:")
    while at >= 0:
        at += len("script:")
        rest = at + len(message[at:]) - len(message[at:].lstrip())
        if message.startswith("[", rest):
            with contextlib.suppress(ValueError, RecursionError):
                steps, _ = DECODER.raw_decode(message, rest)
                return list(steps)
        at = message.find("script:", at)
    return None


# ---------------------------------------------------------------- runs and the journal


@dataclass
class Run:
    """One accepted request and what is known of its progress."""

    run_id: str
    user_id: str
    request_id: str
    thread_id: str
    agent: str
    message: str
    created: float
    over: bool = False
    seq: int = 0
    thoughts: int = 0
    open_tools: dict[str, tuple[str, float]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Journal:
    """Every accepted run and every event, written before anybody hears of it."""

    SCHEMA = """
    CREATE TABLE IF NOT EXISTS threads(thread_id TEXT PRIMARY KEY, user_id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS runs(n INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,
        request_id TEXT NOT NULL, thread_id TEXT NOT NULL, agent TEXT NOT NULL, message TEXT NOT NULL,
        created REAL NOT NULL, over INTEGER NOT NULL DEFAULT 0, answer TEXT, UNIQUE(user_id, request_id));
    CREATE INDEX IF NOT EXISTS runs_by_thread ON runs(thread_id, n);
    CREATE TABLE IF NOT EXISTS events(n INTEGER PRIMARY KEY, run_id TEXT NOT NULL, seq INTEGER NOT NULL,
        event_id TEXT NOT NULL UNIQUE, frame TEXT NOT NULL, UNIQUE(run_id, seq));
    CREATE TABLE IF NOT EXISTS memory(thread_id TEXT, key TEXT, value TEXT, PRIMARY KEY(thread_id, key));
    """
    RUN = "SELECT run_id, user_id, request_id, thread_id, agent, message, created, over FROM runs "

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA locking_mode=EXCLUSIVE")  # one engine per journal
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(self.SCHEMA)

    def close(self) -> None:
        self.db.close()

    def runs(self, where: str, *args: object) -> list[Run]:
        rows = self.db.execute(f"{self.RUN} WHERE {where}", args).fetchall()
        return [Run(*row) for row in rows]

    def owns_thread(self, user_id: str, thread_id: str) -> bool:
        query = "SELECT 1 FROM threads WHERE thread_id=? AND user_id=?"
        return self.db.execute(query, (thread_id, user_id)).fetchone() is not None

    def accept(self, run: Run) -> None:
        with self.db:
            self.db.execute("INSERT OR IGNORE INTO threads VALUES(?,?)", (run.thread_id, run.user_id))
            self.db.execute(
                "INSERT INTO runs(run_id, user_id, request_id, thread_id, agent, message, created)"
                " VALUES(?,?,?,?,?,?,?)",
                (run.run_id, run.user_id, run.request_id, run.thread_id, run.agent, run.message, run.created),
            )

    def add_event(self, event: dict[str, Any], frame: str) -> None:
        with self.db:
            self.db.execute(
                "INSERT INTO events(run_id, seq, event_id, frame) VALUES(?,?,?,?)",
                (event["run_id"], event["seq"], event["event_id"], frame),
            )
            if event["type"] in TERMINAL:
                answer = dumps(event["payload"].get("final_response"))
                self.db.execute("UPDATE runs SET over=1, answer=? WHERE run_id=?", (answer, event["run_id"]))

    def events(self, run_id: str, after: int = 0, limit: int = -1) -> list[tuple[int, str]]:
        query = "SELECT seq, frame FROM events WHERE run_id=? AND seq>? ORDER BY seq LIMIT ?"
        return self.db.execute(query, (run_id, after, limit)).fetchall()

    def event_position(self, event_id: str) -> tuple[int, str] | None:
        row = self.db.execute("SELECT n, run_id FROM events WHERE event_id=?", (event_id,)).fetchone()
        return (int(row[0]), str(row[1])) if row else None

    def seq_at(self, run_id: str, position: int) -> int:
        query = "SELECT COALESCE(MAX(seq), 0) FROM events WHERE run_id=? AND n<=?"
        return int(self.db.execute(query, (run_id, position)).fetchone()[0])

    def history(self, run: Run) -> list[tuple[str, str]]:
        query = """SELECT message, answer FROM runs WHERE thread_id=? AND
            n < (SELECT n FROM runs WHERE run_id=?) ORDER BY n"""
        messages: list[tuple[str, str]] = []
        for message, answer in self.db.execute(query, (run.thread_id, run.run_id)):
            messages.append(("user", message))
            if answer and (text := json.loads(answer)):
                messages.append(("assistant", text))
        return messages

    def remember(self, thread_id: str, key: str, value: Any) -> None:
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO memory VALUES(?,?,?)", (thread_id, dumps(key), dumps(value)))

    def recall(self, thread_id: str, key: str) -> Any:
        query = "SELECT value FROM memory WHERE thread_id=? AND key=?"
        row = self.db.execute(query, (thread_id, dumps(key))).fetchone()
        if row is None:
            raise ToolError("unknown_key", "nothing is remembered under this key")
        return json.loads(row[0])


# ---------------------------------------------------------------- one client connection


@dataclass(frozen=True)
class Closing:
    """Queued after the last frame: what to close the socket with."""

    code: int
    reason: str


class Connection:
    """A socket with a bounded queue in front of it; a client that does not keep up is closed with 4408."""

    def __init__(self, ws: ServerConnection, user_id: str, heartbeat_s: float) -> None:
        self.ws = ws
        self.user_id = user_id
        self.connection_id = new_id("conn")
        self.heartbeat_s = heartbeat_s
        self.watching: set[str] = set()
        self.closing = False
        self.queue: asyncio.Queue[str | Closing] = asyncio.Queue()
        self.queued_bytes = 0
        self.room = asyncio.Event()
        self.room.set()
        self.writer = asyncio.create_task(self._write())
        self.beat = asyncio.create_task(self._heartbeat())
        self.closer: asyncio.Task[None] | None = None

    def push(self, frame: str) -> None:
        if self.closing:
            return
        if self.queue.qsize() >= QUEUE_FRAMES or self.queued_bytes + len(frame) > QUEUE_BYTES:
            self.kick(4408, "slow consumer")
            return
        self.queue.put_nowait(frame)
        self.queued_bytes += len(frame)
        self._note_room()

    async def push_when_room(self, frame: str) -> None:
        """For replays: wait for the client instead of filling the queue."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self.room.wait()
        except TimeoutError:
            self.kick(4408, "slow consumer")
        self.push(frame)

    def send(self, kind: str, payload: dict[str, Any]) -> None:
        self.push(dumps({"type": kind, "payload": payload}))

    def close_after_queue(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing = True
            self.queue.put_nowait(Closing(code, reason))

    def kick(self, code: int, reason: str) -> None:
        """Close now; what is still queued is dropped (the client can resume)."""
        if not self.closing:
            self.closing = True
            self.room.set()
            self.closer = asyncio.create_task(self._close(code, reason))

    async def finish(self) -> None:
        """Called once, when nothing more is read from the socket."""
        self.beat.cancel()
        if self.closer is None and self.closing:
            await asyncio.wait([self.writer], timeout=SEND_TIMEOUT_S + CLOSE_GRACE_S)
        self.closing = True
        self.writer.cancel()
        await asyncio.wait([self.writer, self.beat, *([self.closer] if self.closer else [])])

    def _note_room(self) -> None:
        if self.queue.qsize() < QUEUE_FRAMES // 2 and self.queued_bytes < QUEUE_BYTES // 2:
            self.room.set()
        else:
            self.room.clear()

    async def _close(self, code: int, reason: str) -> None:
        if asyncio.current_task() is not self.writer:
            self.writer.cancel()
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self.ws.close(code, reason)
        except TimeoutError:
            self.ws.transport.abort()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                item = await self.queue.get()
                if isinstance(item, Closing):
                    await self._close(item.code, item.reason)
                    return
                try:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await self.ws.send(item)
                except TimeoutError:
                    self.closing = False  # a queued goodbye would not get through either
                    self.kick(4408, "slow consumer")
                    return
                self.queued_bytes -= len(item)
                self._note_room()

    async def _heartbeat(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self.heartbeat_s)
                self.send("heartbeat", {"correlation_id": new_id("hb"), "server_time": now()})
                try:
                    async with asyncio.timeout(max(2 * self.heartbeat_s, SEND_TIMEOUT_S)):
                        await (await self.ws.ping())
                except TimeoutError:
                    self.kick(4408, "no sign of life")
                    return


# ---------------------------------------------------------------- the engine


class Engine:
    """Accepts requests, runs the scripted model and tells every interested connection."""

    def __init__(self, journal: Journal, secret: str, run_limit_s: float, heartbeat_s: float) -> None:
        self.journal = journal
        self.secret = secret
        self.run_limit_s = run_limit_s
        self.heartbeat_s = heartbeat_s
        self.stopping = False
        self.active: dict[str, Run] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.connections: dict[str, set[Connection]] = defaultdict(set)

    # -- life of the process

    def recover(self) -> None:
        """End what a crash interrupted; a run that had not begun yet is simply run."""
        for run in self.journal.runs("over=0 ORDER BY n"):
            for seq, frame in self.journal.events(run.run_id):
                event = json.loads(frame)
                run.seq, payload = seq, event["payload"]
                if event["type"] == "tool_executing":
                    started = datetime.fromisoformat(event["timestamp"]).timestamp()
                    run.open_tools[payload["tool_call_id"]] = (payload["tool_name"], started)
                elif event["type"] == "tool_completed":
                    run.open_tools.pop(payload["tool_call_id"], None)
            if run.seq == 0:
                self.launch(run)
            else:
                self.fail(run, "internal", "the engine was restarted during this run", tool_code="interrupted")

    async def shut_down(self) -> None:
        self.stopping = True
        for run in list(self.active.values()):
            try:
                self.fail(run, "internal", "the engine is being restarted", tool_code="interrupted")
            except sqlite3.Error:
                log.exception("run %s is left to the next start", run.run_id)
        for task in self.tasks:
            task.cancel()
        connections = [conn for group in self.connections.values() for conn in group]
        for conn in connections:
            conn.close_after_queue(1012, "restart")
        if connections:
            await asyncio.wait([conn.writer for conn in connections], timeout=CLOSE_GRACE_S)

    # -- events

    def emit(self, run: Run, kind: str, payload: dict[str, Any]) -> None:
        if run.over:
            return
        event = {
            "type": kind,
            "event_id": new_id("evt"),
            "run_id": run.run_id,
            "thread_id": run.thread_id,
            "user_id": run.user_id,
            "seq": run.seq + 1,
            "timestamp": now(),
            "agent_name": run.agent,
            "payload": payload,
        }
        frame = dumps(event)
        self.journal.add_event(event, frame)
        run.seq += 1
        if kind in TERMINAL:
            run.over = True
            self.active.pop(run.run_id, None)
        for conn in list(self.connections.get(run.user_id, ())):
            if run.run_id in conn.watching:
                conn.push(frame)

    def complete_tool(self, run: Run, call_id: str, outcome: dict[str, Any]) -> None:
        name, started = run.open_tools[call_id]
        payload = {"tool_name": name, "tool_call_id": call_id, **outcome, "duration_ms": ms_since(started)}
        self.emit(run, "tool_completed", payload)
        del run.open_tools[call_id]

    def end(self, run: Run, kind: str, payload: dict[str, Any], tool_code: str) -> None:
        """The terminal event, and before it the end of every tool call still open. Only the first call counts."""
        if run.over:
            return
        for call_id in list(run.open_tools):
            error = {"code": tool_code, "message": "the run ended before the tool did"}
            self.complete_tool(run, call_id, {"status": "error", "error": error})
        self.emit(run, kind, payload)

    def fail(self, run: Run, code: str, message: str, tool_code: str) -> None:
        payload = {"code": code, "message": message, "retryable": True}
        self.end(run, "agent_error", payload, tool_code)

    # -- running

    def launch(self, run: Run) -> None:
        self.active[run.run_id] = run
        run.task = asyncio.create_task(self.execute(run))
        self.tasks.add(run.task)
        run.task.add_done_callback(self.tasks.discard)

    async def execute(self, run: Run) -> None:
        try:
            async with asyncio.timeout(self.run_limit_s):
                self.emit(run, "agent_started", {"request_id": run.request_id})
                await self.follow(run)
            failure = None
        except TimeoutError:
            failure = ("timeout", f"the run took longer than {self.run_limit_s:g} s")
        except ModelError as error:
            failure = ("model_failed", str(error))
        except Exception:
            log.exception("run %s failed", run.run_id)
            failure = ("internal", "the engine failed")
        while not run.over:  # a journal that cannot be written must not cost the run its end
            try:
                if failure:
                    self.fail(run, *failure, tool_code="timeout" if failure[0] == "timeout" else "interrupted")
                else:
                    answer = {"final_response": "".join(run.said), "duration_ms": ms_since(run.created)}
                    self.end(run, "agent_completed", answer, tool_code="interrupted")
            except sqlite3.Error:
                log.exception("cannot write the end of run %s", run.run_id)
                await asyncio.sleep(1)

    async def follow(self, run: Run) -> None:
        steps = find_script(run.message)
        if steps is None:
            self.think(run, "Reading the message")
            await self.say(run, f"You said: {run.message}")
            return
        for number, step in enumerate(steps, 1):
            await asyncio.sleep(0)  # let the writers send what there is
            match step:
                case {"think": str(thought)}:
                    self.think(run, thought)
                case {"tool": str(name)}:
                    await self.call_tools(run, [(name, step.get("args", {}))])
                case {"parallel": list(calls)} if all(
                    isinstance(call, dict) and isinstance(call.get("tool"), str) for call in calls
                ):
                    await self.call_tools(run, [(call["tool"], call.get("args", {})) for call in calls])
                case {"say": str(text)}:
                    await self.say(run, text)
                case {"stall_ms": int() | float() as pause} if pause >= 0:
                    await asyncio.sleep(min(pause, LONGEST_SLEEP_MS) / 1000)
                case {"fail": message}:
                    raise ModelError(str(message))
                case {"recall": True}:
                    seen = self.journal.history(run)
                    await self.say(run, "\n".join(f"{role}: {content}" for role, content in seen))
                case _:
                    raise ModelError(f"step {number} of the script is not understood")

    def think(self, run: Run, thought: str) -> None:
        run.thoughts += 1
        self.emit(run, "agent_thinking", {"thought": thought, "step": run.thoughts})

    async def say(self, run: Run, text: str) -> None:
        run.said.append(text)
        for at in range(0, len(text), CHUNK_CHARS):
            self.emit(run, "message_chunk", {"text": text[at : at + CHUNK_CHARS]})
            await asyncio.sleep(0)

    async def call_tools(self, run: Run, calls: list[tuple[str, Any]]) -> None:
        if run.thoughts == 0:
            self.think(run, "Using tools")
        async with asyncio.TaskGroup() as group:
            for name, args in calls:
                group.create_task(self.call_tool(run, name, args))

    async def call_tool(self, run: Run, name: str, args: Any) -> None:
        call_id = new_id("call")
        parameters = args if isinstance(args, dict) else {}
        self.emit(run, "tool_executing", {"tool_name": name, "tool_call_id": call_id, "parameters": parameters})
        run.open_tools[call_id] = (name, time.time())
        outcome: dict[str, Any]
        try:
            outcome = {"status": "ok", "result": await self.tool(run, name, args)}
        except ToolError as error:
            outcome = {"status": "error", "error": {"code": error.code, "message": str(error)}}
        self.complete_tool(run, call_id, outcome)

    async def tool(self, run: Run, name: str, args: Any) -> Any:
        match name, args:
            case "echo", {"text": text}:
                return text
            case "sleep", {"ms": int() | float() as pause} if pause >= 0:
                await asyncio.sleep(min(pause, LONGEST_SLEEP_MS) / 1000)
                return args.get("text", "")
            case "fail", {}:
                raise ToolError("tool_failed", str(args.get("message", "failed")))
            case "hang", {}:
                await asyncio.Event().wait()
            case "remember", {"key": str(key), "value": value}:
                self.journal.remember(run.thread_id, key, value)
                return value
            case "recall", {"key": str(key)}:
                return self.journal.recall(run.thread_id, key)
            case "echo" | "sleep" | "fail" | "hang" | "remember" | "recall", _:
                raise ToolError("bad_arguments", f"{name} cannot be called with these arguments")
        raise ToolError("unknown_tool", f"there is no tool {name}")

    # -- messages of clients

    async def handle(self, conn: Connection, raw: str | bytes) -> None:
        request_id: str | None = None
        try:
            if len(raw.encode() if isinstance(raw, str) else raw) > MAX_MESSAGE_BYTES:
                raise WireError("too_large", f"a message may have {MAX_MESSAGE_BYTES} bytes")
            if isinstance(raw, bytes):
                raise WireError("bad_message", "only text frames are understood")
            try:
                frame = DECODER.decode(raw)
            except (ValueError, RecursionError):
                raise WireError("bad_json", "the frame is not JSON") from None
            if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
                raise WireError("bad_message", "a frame is an object with a type")
            payload = frame.get("payload", {})
            if not isinstance(payload, dict):
                raise WireError("bad_message", "payload must be an object")
            if isinstance(payload.get("request_id"), str):
                request_id = payload["request_id"][:MAX_ID_CHARS]
            match frame["type"]:
                case "start_agent":
                    await self.start(conn, payload, need(payload, "user_request", MAX_MESSAGE_BYTES))
                case "user_message":
                    need(payload, "thread_id")
                    await self.start(conn, payload, need(payload, "content", MAX_MESSAGE_BYTES))
                case "stop_agent":
                    self.stop(conn, need(payload, "run_id"))
                case "resume":
                    await self.resume(conn, payload)
                case "ping":
                    conn.send("pong", {k: v for k, v in payload.items() if k == "correlation_id"})
                case "heartbeat_ack":
                    pass
                case _:
                    raise WireError("unknown_type", "this type is not known")
        except WireError as error:
            self.report(conn, error.code, str(error), request_id)
            if error.code == "too_large":
                conn.close_after_queue(1009, "too large")
        except Exception:
            log.exception("message of %s failed", conn.connection_id)
            self.report(conn, "internal", "the engine failed", request_id)

    def report(self, conn: Connection, code: str, message: str, request_id: str | None) -> None:
        error = {"type": "error", "code": code, "message": message}
        conn.push(dumps(error if request_id is None else {**error, "request_id": request_id}))

    def own_run(self, user_id: str, run_id: str) -> Run:
        found = self.journal.runs("run_id=? AND user_id=?", run_id, user_id)
        if not found:
            raise WireError("not_found", "no such run or thread")
        return self.active.get(run_id, found[0])

    async def start(self, conn: Connection, payload: dict[str, Any], message: str) -> None:
        request_id = need(payload, "request_id")
        thread_id = optional(payload, "thread_id")
        agent = optional(payload, "agent") or "assistant"
        known = self.journal.runs("user_id=? AND request_id=?", conn.user_id, request_id)
        if known:
            run = known[0]
        else:
            if thread_id is not None and not self.journal.owns_thread(conn.user_id, thread_id):
                raise WireError("not_found", "no such run or thread")
            if sum(run.user_id == conn.user_id for run in self.active.values()) >= MAX_ACTIVE_RUNS_PER_USER:
                raise WireError("rate_limited", "too many runs at once")
            thread_id = thread_id or new_id("thread")
            run = Run(new_id("run"), conn.user_id, request_id, thread_id, agent, message, time.time())
            self.journal.accept(run)
        ids = {"request_id": request_id, "run_id": run.run_id, "thread_id": run.thread_id}
        conn.send("run_accepted", {**ids, "duplicate": bool(known)})
        if not known:
            for other in self.connections[conn.user_id]:
                other.watching.add(run.run_id)
            self.launch(run)
        elif run.run_id not in conn.watching:  # a retry on a new connection gets what it missed
            await self.replay(conn, run.run_id, 0)

    def stop(self, conn: Connection, run_id: str) -> None:
        run = self.own_run(conn.user_id, run_id)
        seen = run_id in conn.watching
        conn.watching.add(run_id)
        if not run.over:
            self.end(run, "agent_stopped", {"reason": "stopped by the user"}, tool_code="stopped")
            if run.task:
                run.task.cancel()
        elif not seen:  # it ended without this connection hearing of it
            conn.push(self.journal.events(run_id)[-1][1])

    async def resume(self, conn: Connection, payload: dict[str, Any]) -> None:
        run_id, thread_id = optional(payload, "run_id"), optional(payload, "thread_id")
        after, last_event_id = payload.get("after_seq"), optional(payload, "last_event_id")
        if after is not None and (not isinstance(after, int) or isinstance(after, bool) or after < 0):
            raise WireError("bad_message", "after_seq must be a whole number from 0")
        after = min(after or 0, 2**31)
        if run_id is not None:
            runs = [self.own_run(conn.user_id, run_id)]
        elif thread_id is not None:
            runs = self.journal.runs("thread_id=? AND user_id=? ORDER BY n", thread_id, conn.user_id)
        else:
            raise WireError("bad_message", "run_id or thread_id is missing")
        if last_event_id is not None and "after_seq" not in payload:
            position = self.journal.event_position(last_event_id)
            if position is None or position[1] not in {run.run_id for run in runs}:
                raise WireError("not_found", "no such event")
            cursors = [(run.run_id, self.journal.seq_at(run.run_id, position[0])) for run in runs]
        else:  # in a thread a number above 0 can only speak of its newest run
            cursors = [(run.run_id, after) for run in (runs[-1:] if after else runs)]
        if not cursors:
            raise WireError("not_found", "no such run or thread")
        for ident, seq in cursors:
            await self.replay(conn, ident, seq)

    async def replay(self, conn: Connection, run_id: str, seq: int) -> None:
        conn.watching.discard(run_id)
        while (missed := self.journal.events(run_id, seq, limit=100)) and not conn.closing:
            for _, frame in missed:
                await conn.push_when_room(frame)
            seq = missed[-1][0]
        conn.watching.add(run_id)  # nothing was awaited since the last look: no gap, nothing twice

    # -- sockets and HTTP

    def authenticate(self, request: Request) -> tuple[str, float]:
        """User and expiry, or jwt.InvalidTokenError."""
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                offered = [x.strip() for x in ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")]
                coded = next((x[4:] for x in offered if x.startswith("jwt.")), "") if "jwt-auth" in offered else ""
                token = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
            options: Any = {"require": ["exp", "sub"]}
            claims = jwt.decode(token.strip(), self.secret, algorithms=ALGORITHMS, options=options)
            user_id = claims["sub"]
            user_id.encode()
            if not user_id:
                raise jwt.InvalidTokenError("empty sub")
            return user_id, float(claims["exp"])
        except (ValueError, TypeError, OverflowError, MultipleValuesError) as error:
            raise jwt.InvalidTokenError("malformed credentials") from error

    async def serve_client(self, ws: ServerConnection) -> None:
        try:
            assert ws.request is not None
            user_id, expires = self.authenticate(ws.request)
        except jwt.InvalidTokenError:  # expired during the handshake
            await ws.close(1008, "credentials")
            return
        if sum(map(len, self.connections.values())) >= MAX_CONNECTIONS:
            await ws.close(1013, "overloaded")
            return
        conn = Connection(ws, user_id, self.heartbeat_s)
        hello = {"type": "connection_established", "protocol": PROTOCOL, "connection_id": conn.connection_id}
        hello |= {"user_id": user_id, "server_time": now()}
        heartbeat_s = int(self.heartbeat_s) if self.heartbeat_s.is_integer() else self.heartbeat_s
        conn.push(dumps({**hello, "heartbeat_s": heartbeat_s, "capabilities": CAPABILITIES}))
        self.connections[user_id].add(conn)
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(max(0.0, expires - time.time()), conn.kick, 1008, "credentials expired")
        try:
            async for raw in ws:
                if not conn.closing:
                    await self.handle(conn, raw)
        except ConnectionClosed:
            pass
        finally:
            expiry.cancel()
            self.connections[user_id].discard(conn)
            if not self.connections[user_id]:
                del self.connections[user_id]
            await conn.finish()

    async def process_request(self, _: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        parts = url.path.split("/")
        if request.method != "GET":
            return answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "method_not_allowed"})
        if url.path == "/health":
            return answer(HTTPStatus.OK, {"status": "ok"})
        if url.path == "/ready":
            status = HTTPStatus.SERVICE_UNAVAILABLE if self.stopping else HTTPStatus.OK
            return answer(status, {"ready": not self.stopping})
        is_events = len(parts) == 4 and (parts[1], parts[3]) == ("runs", "events")
        if url.path != "/ws" and not is_events:
            return answer(HTTPStatus.NOT_FOUND, {"error": "not_found"})
        try:
            user_id, _expires = self.authenticate(request)
        except jwt.InvalidTokenError:
            return answer(HTTPStatus.UNAUTHORIZED, {"error": "unauthorized"})
        return self.get_events(user_id, unquote(parts[2]), url.query, request) if is_events else None

    def get_events(self, user_id: str, run_id: str, query: str, request: Request) -> Response:
        """The events so far. As SSE too the answer ends there: the client comes back with Last-Event-ID."""
        try:
            run = self.own_run(user_id, run_id)
        except WireError as error:
            return answer(HTTPStatus.NOT_FOUND, {"error": error.code, "message": str(error)})
        after = (parse_qs(query).get("after") or ["0"])[-1]
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            return answer(HTTPStatus.BAD_REQUEST, {"error": "bad_message", "message": "after must be a number"})
        seq = int(after)
        last = self.journal.event_position((request.headers.get_all("Last-Event-ID") or [""])[0])
        if last:
            seq = max(seq, self.journal.seq_at(run_id, last[0]))
        events = [json.loads(frame) for _, frame in self.journal.events(run_id, seq)]
        if "text/event-stream" not in ",".join(request.headers.get_all("Accept")):
            return answer(HTTPStatus.OK, {"run_id": run_id, "events": events})
        if run.over and not events:
            return answer(HTTPStatus.NO_CONTENT, "", "text/event-stream")  # tells an EventSource to stay away
        lines = [f"id: {e['event_id']}\nevent: {e['type']}\ndata: {dumps(e)}\n\n" for e in events]
        return answer(HTTPStatus.OK, "retry: 1000\n\n" + "".join(lines), "text/event-stream")


def answer(status: HTTPStatus, body: dict[str, Any] | str, kind: str = "application/json") -> Response:
    data = (body if isinstance(body, str) else dumps(body)).encode()
    headers = Headers({"Date": formatdate(usegmt=True), "Connection": "close", "Content-Type": kind})
    if status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(data))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(status.value, status.phrase, headers, data)


def choose_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("jwt-auth") if "jwt-auth" in offered else None


# ---------------------------------------------------------------- the process


async def main(args: argparse.Namespace, secret: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    journal = Journal(args.journal)
    engine = Engine(journal, secret, args.run_limit_s, args.heartbeat_s)
    engine.recover()
    server = await serve(
        engine.serve_client,
        args.host,
        args.port,
        process_request=engine.process_request,
        select_subprotocol=choose_subprotocol,
        compression=None,
        ping_interval=None,
        close_timeout=CLOSE_GRACE_S,
        max_size=HARD_MESSAGE_BYTES,
        max_queue=4,
    )
    log.info("listening on %s port %s", args.host, server.sockets[0].getsockname()[1])
    await stop.wait()
    log.info("stopping")
    server.close(close_connections=False)
    await engine.shut_down()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), CLOSE_GRACE_S)
    journal.close()


def loopback(host: str) -> str:
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError("only loopback")
    return host


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", type=loopback, default="127.0.0.1", help="a loopback address")
    parser.add_argument("--journal", default=":memory:", help="SQLite file; without it nothing survives a restart")
    parser.add_argument("--run-limit-s", type=float, default=60.0)
    parser.add_argument("--heartbeat-s", type=float, default=25.0)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    jwt_secret = os.environ.get("JWT_SECRET")
    if not jwt_secret:
        sys.exit("JWT_SECRET is not set")
    asyncio.run(main(parser.parse_args(), jwt_secret))

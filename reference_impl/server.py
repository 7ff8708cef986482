"""Runs the engine under uvicorn: the command line, signals, the way down."""

import argparse
import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette

from reference_impl.app import Assembly, Parts, create_app
from reference_impl.auth import mint_token
from reference_impl.errors import EngineError
from reference_impl.faulty import all_faults
from reference_impl.faulty import named as named_fault
from reference_impl.journal import lock_journal, require_format
from reference_impl.odd import all_odd
from reference_impl.odd import named as named_odd
from reference_impl.operations.logs import configure_logs
from reference_impl.outside import Endpoints
from reference_impl.settings import Settings
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol
from reference_impl.variants import Variant

EX_USAGE = 64
EX_UNAVAILABLE = 69
DEMO_USER = "demo"
DEMO_TOKEN_S = 3600.0
MIN_SECRET_BYTES = 32
NUMBERS: Mapping[str, str] = {
    "heartbeat_s": "between signs of life",
    "run_limit_s": "how long a run may work",
    "tool_limit_s": "how long one call of a tool may take",
    "model_silence_s": "how long the model may take for a move",
    "drain_s": "how long runs may go on after SIGTERM",
    "max_message_bytes": "the most that a client may send at once",
    "max_result_bytes": "the most that a tool may return",
    "max_answer_bytes": "the most that a run may say",
    "max_running_per_user": "runs at work",
    "max_open_per_user": "runs at work or waiting",
    "outbox_frames": "queued per connection before it is closed, 4408",
    "outbox_bytes": "the same, in bytes",
    "cached_answers": "answers of the model kept for each user",
}
"""Settings that have an option of their name, and its help."""


class EngineServer(uvicorn.Server):
    """uvicorn, but runs are ended and told of before sockets are closed, and a signal is a normal end (LIF-05)."""

    def __init__(
        self,
        app: Starlette,
        settings: Settings,
        *,
        handle_signals: bool = True,
        protocol: type[PartingWebSocketProtocol] = PartingWebSocketProtocol,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws=protocol,
                # Above our own limit, so that a client hears `too_large` rather than only 1009.
                ws_max_size=max(16 * 1024 * 1024, 4 * settings.max_message_bytes),
                ws_ping_interval=settings.heartbeat_s,
                ws_ping_timeout=settings.heartbeat_s,
                ws_per_message_deflate=False,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=3,
            )
        )
        self._app = app
        self._handle_signals = handle_signals
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then set `ready`."""
        await super().startup(sockets)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        """End also where the engine can do nothing more."""
        return await super().on_tick(counter) or self._app.state.assembly.doomed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the runs, then close what is open."""
        for server in self.servers:
            server.close()
        assembly = self._app.state.assembly
        assert isinstance(assembly, Assembly)
        await assembly.drain()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM without raising them again afterwards, which would end in a traceback."""
        if not self._handle_signals:
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    parts: Parts | None = None,
    protocol: type[PartingWebSocketProtocol] = PartingWebSocketProtocol,
) -> int:
    """Serve until SIGINT or SIGTERM. Prints one line when ready. Returns the exit code: 0, or 69 if it cannot."""
    try:
        bound = bind(host, port)
    except OSError as error:
        print_error(f"cannot listen on {host}:{port}: {error.strerror}; free the port or give another with --port")
        return EX_UNAVAILABLE
    with bound:
        if problem := settings_problem(settings):
            print_error(problem)
            return EX_UNAVAILABLE
        server = EngineServer(create_app(settings, parts=parts), settings, protocol=protocol)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, bound))
    return 0


async def _serve(server: EngineServer, bound: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if not serving.done():
        # What is there now stays: the collector need not look at it again, nor look for more so often.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"reference engine ready at ws://{shown}:{port}/ws\n")
        sys.stdout.flush()
    await serving


def settings_problem(settings: Settings) -> str | None:
    """Why an engine cannot be started with these, None if it can."""
    if settings.bus is not None:
        try:
            from reference_impl.fleet.assembly import fleet_problem

            return asyncio.run(fleet_problem(settings))
        except ModuleNotFoundError as error:
            return f"--bus needs {error.name}: install agent-conformance[redis,postgres]"
    return None if settings.journal is None else journal_problem(settings.journal)


def journal_problem(path: Path) -> str | None:
    """Why `path` cannot be the journal, None if it can."""
    try:
        with contextlib.closing(lock_journal(path)), contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            require_format(connection)
    except sqlite3.Error as error:
        advice = "give a new file, or one of this engine's that no other uses, in a folder that can be written"
        return f"cannot use {path} as the journal: {error}; {advice}"
    return None


def print_error(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"reference engine: {text}\n")


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m reference_impl`."""
    arguments = argparse.ArgumentParser(prog="python -m reference_impl", description="Run the reference engine.")
    add = arguments.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8765, help="0 takes a free port (default: 8765)")
    journal_help = "SQLite file that survives restarts (default: a temporary one); with --bus also postgresql://…"
    add("--journal", metavar="FILE", help=journal_help)
    add("--bus", metavar="URL", help="redis://… through which several engines with one --journal act as one")
    add("--name", help="with --bus: what this engine is called; one that starts ends the runs of its predecessor")
    add("--lease-s", type=float, default=5.0, metavar="S", help="with --bus: after how long a silent engine is dead")
    add("--secret-env", default="JWT_SECRET", metavar="NAME", help="variable that holds the JWT secret")
    defaults = {each.name: each.default for each in fields(Settings)}
    for name, text in NUMBERS.items():
        number, unit = (float, "S") if name.endswith("_s") else (int, "N")
        option = f"--{name.replace('_', '-')}"
        default = defaults[name]
        shown = "none" if default is None else default
        add(option, type=number, default=default, metavar=unit, help=f"{text} (default: {shown})")
    add("--allow-origin", action="append", default=[], metavar="ORIGIN", help="browser origin to admit; repeatable")
    add("--model", choices=["scripted", "openai"], default="scripted", help="openai: the one at $OPENAI_BASE_URL")
    add("--tools", choices=["own", "http"], default="own", help="http: those at $CONFORMANCE_TOOLS_URL/NAME")
    add("--log", choices=["text", "json"], default="text", help="json: an object a line on stderr, from `info` on")
    add("--fault", metavar="NAME", help="run a faulty variant of the engine")
    add("--list-faults", action="store_true", help="print the name and a sentence of each faulty variant, and end")
    add("--odd", metavar="NAME", help="run a variant of the engine that keeps every promise in an odd way")
    add("--list-odd", action="store_true", help="print the name and a sentence of each odd variant, and end")
    return arguments


def list_variants(variants: Sequence[Variant]) -> int:
    """Print them, a line each: the name, two spaces, the sentence."""
    sys.stdout.writelines(f"{each.name}  {each.sentence}\n" for each in variants)
    return 0


def chosen(options: argparse.Namespace) -> Variant | None:
    """The faulty or odd engine that is asked for, None if neither; says on stdout which it is.

    Raises EngineError where there is none such, or it would not show.
    """
    if options.fault is not None and options.odd is not None:
        raise EngineError("--fault and --odd: expected one of them, found both")
    if options.bus is not None and (options.fault or options.odd):
        raise EngineError("--bus: a faulty or odd engine is always alone; leave out --bus, or --fault and --odd")
    found: Variant
    if options.odd is not None:
        found = named_odd(options.odd)
    elif options.fault is not None:
        found = fault = named_fault(options.fault)
        if fault.outside and not (options.model == "openai" and options.tools == "http"):
            raise EngineError(
                f"fault {fault.name}: there is no such defect without --model openai --tools http (verify: --witness)"
            )
    else:
        return None
    sys.stdout.write(f"reference engine with {found.kind} {found.name}: {found.sentence}\n")
    return found


def endpoints(*, model: str, tools: str) -> Endpoints:
    """Where model and tools are, by the environment. Raises ValueError where it does not say."""
    needed = [("OPENAI_BASE_URL", "--model openai", model == "openai")]
    needed += [("CONFORMANCE_TOOLS_URL", "--tools http", tools == "http")]
    for name, option, asked in needed:
        if asked and not os.environ.get(name):
            raise ValueError(f"{option}: expected a URL in ${name}, such as http://127.0.0.1:8766/v1; it is not set.")
    return Endpoints(
        model_url=os.environ["OPENAI_BASE_URL"].rstrip("/") if model == "openai" else None,
        model_key=os.environ.get("OPENAI_API_KEY", ""),
        model_name=os.environ.get("OPENAI_MODEL", Endpoints.model_name),
        tools_url=os.environ["CONFORMANCE_TOOLS_URL"].rstrip("/") if tools == "http" else None,
    )


def main(argv: Sequence[str] | None = None, *, parts: Parts | None = None) -> int:
    """Read the command line and the secret's variable, then serve, with these parts if given. Returns the exit code."""
    options = parser().parse_args(argv)
    configure_logs(as_json=options.log == "json")
    if options.list_faults:
        return list_variants(all_faults())
    if options.list_odd:
        return list_variants(all_odd())
    try:
        variant = chosen(options)
    except EngineError as error:
        print_error(str(error))
        return EX_USAGE
    secret = os.environ.get(options.secret_env, "")
    demo = not secret
    if demo:
        secret = secrets.token_urlsafe(48)
    elif len(secret.encode()) < MIN_SECRET_BYTES:
        print_error(f"${options.secret_env} has fewer than {MIN_SECRET_BYTES} bytes; RFC 7518 asks for more")
    in_database = "://" in (options.journal or "")
    try:
        settings = Settings(
            secret=secret,
            journal=None if in_database or options.journal is None else Path(options.journal),
            journal_url=options.journal if in_database else None,
            bus=options.bus,
            engine_name=options.name,
            lease_s=options.lease_s,
            endpoints=endpoints(model=options.model, tools=options.tools),
            **{name: getattr(options, name) for name in NUMBERS},
            allowed_origins=frozenset(options.allow_origin),
        )
    except ValueError as error:
        print_error(str(error))
        return EX_USAGE
    if demo:
        token = mint_token(secret, DEMO_USER, lifetime_s=DEMO_TOKEN_S)
        sys.stdout.write(
            f"${options.secret_env} is not set, so the secret is random. For one hour, user {DEMO_USER!r} may connect"
            f" with the header:\nAuthorization: Bearer {token}\n"
        )
    if variant is None:
        return serve(settings, host=options.host, port=options.port, parts=parts)
    settings = replace(settings, **variant.limits)
    return serve(settings, host=options.host, port=options.port, parts=variant.parts, protocol=variant.protocol)

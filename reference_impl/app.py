"""What is wired to what. Every part is made here, in the ASGI lifespan, and given its collaborators."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from reference_impl.agent import AgentRun
from reference_impl.agui import AguiRoute
from reference_impl.auth import Authenticator, Identity
from reference_impl.connection import Connection, Transport
from reference_impl.context import UserExecutionContext
from reference_impl.emitter import UserEventEmitter
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import CloseCode
from reference_impl.events import Event
from reference_impl.gate import WebSocketGate
from reference_impl.journal import Journal
from reference_impl.model import Conversation, LLMManager, Model, ScriptedModel
from reference_impl.outside import Outside
from reference_impl.recovery import finish_interrupted_runs
from reference_impl.registry import AgentExecutionRegistry, RunRecord
from reference_impl.remote_model import RemoteModel
from reference_impl.remote_tools import RemoteToolbox
from reference_impl.replay import Replayer
from reference_impl.routes import HealthRoutes, RunRoutes
from reference_impl.run import StoredRun
from reference_impl.session import ClientSession
from reference_impl.settings import Settings
from reference_impl.tools import Toolbox, ToolDispatcher, Tools
from reference_impl.websocket_manager import WebSocketManager


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which class plays each part. A variant of the engine replaces some by subclasses of them."""

    agent_run: type[AgentRun] = AgentRun
    agui: type[AguiRoute] = AguiRoute
    authenticator: type[Authenticator] = Authenticator
    connection: type[Connection] = Connection
    conversation: type[Conversation] = Conversation
    emitter: type[UserEventEmitter] = UserEventEmitter
    engine: type[ExecutionEngine] = ExecutionEngine
    gate: type[WebSocketGate] = WebSocketGate
    journal: type[Journal] = Journal
    llm: type[LLMManager] = LLMManager
    manager: type[WebSocketManager] = WebSocketManager
    model: type[ScriptedModel] = ScriptedModel
    registry: type[AgentExecutionRegistry] = AgentExecutionRegistry
    remote_model: type[RemoteModel] = RemoteModel
    remote_toolbox: type[RemoteToolbox] = RemoteToolbox
    replayer: type[Replayer] = Replayer
    session: type[ClientSession] = ClientSession
    tool_dispatcher: type[ToolDispatcher] = ToolDispatcher
    toolbox: type[Toolbox] = Toolbox


class Assembly:
    """The parts of one running engine, wired together. Made when the application starts, closed when it ends."""

    def __init__(self, settings: Settings, parts: Parts, journal: Journal) -> None:
        self.settings = settings
        self.parts = parts
        self.doomed = False
        self.journal = journal
        self.authenticator = parts.authenticator(settings.secret)
        self.registry = parts.registry(journal, max_open_per_user=settings.max_open_per_user)
        self.manager = parts.manager(max_per_user=settings.max_connections_per_user)
        self.replayer = parts.replayer(journal, self.registry)
        self.outside = Outside(settings.endpoints)
        self.llm = parts.llm(self.create_model())
        self.engine = parts.engine(
            self.registry,
            self.create_run,
            max_running_per_user=settings.max_running_per_user,
            agent_name=settings.agent_name,
        )
        self.gate = parts.gate(self.authenticator, self.create_session, allowed_origins=settings.allowed_origins)
        self.runs = RunRoutes(self.authenticator, self.engine, self.registry, self.replayer, settings=settings)
        self.agui = parts.agui(self.authenticator, self.engine, self.registry, self.replayer, settings=settings)
        self.health = HealthRoutes(self.engine, self.registry, self.manager, journal, self.llm)
        journal.subscribe(self.deliver)
        journal.on_failure(self.close_failed)

    def create_model(self) -> Model:
        """The one model that all runs ask."""
        conversation = self.parts.conversation(self.journal, window_bytes=self.settings.model_window_bytes)
        if self.settings.endpoints.model_url is None:
            return self.parts.model(conversation)
        return self.parts.remote_model(conversation, self.outside)

    def create_tools(self, context: UserExecutionContext) -> Tools:
        """The tools of one run."""
        if self.settings.endpoints.tools_url is None:
            return self.parts.toolbox(context, self.journal)
        return self.parts.remote_toolbox(context, self.outside)

    def create_emitter(
        self, context: UserExecutionContext, *, seq: int = 0, last_timestamp: float = 0.0
    ) -> UserEventEmitter:
        """The emitter of one run."""
        return self.parts.emitter(context, self.journal, seq=seq, last_timestamp=last_timestamp)

    def create_recovery_emitter(self, run: StoredRun, seq: int, last_timestamp: float) -> UserEventEmitter:
        """The emitter that ends a run of which there are `seq` events."""
        return self.create_emitter(run.context, seq=seq, last_timestamp=last_timestamp)

    def create_run(self, record: RunRecord) -> AgentRun:
        """The parts that one run has to itself."""
        emitter = self.create_emitter(record.context)
        tools = self.create_tools(record.context)
        dispatcher = self.parts.tool_dispatcher(tools, emitter, interruption=lambda: record.interruption)
        return self.parts.agent_run(record, emitter, self.llm, dispatcher, limit_s=self.settings.run_limit_s)

    def deliver(self, events: Sequence[Event]) -> None:
        """Bring journaled events to their readers. The one way from the journal to anybody."""
        for event in events:
            self.manager.deliver(event)
            self.registry.note_delivered(event)

    def close_failed(self) -> None:
        """The journal cannot write: end the connections rather than leave gaps (DLV-06)."""
        self.engine.draining = True
        for connection in self.manager:
            connection.close(CloseCode.INTERNAL, "internal error")

    async def drain(self) -> None:
        """End what is running and tell its users, then close the connections (LIF-05). May be called again."""
        await self.engine.drain(grace_s=self.settings.drain_s)
        await self.manager.close_all(CloseCode.RESTART, "restarting")

    def create_session(self, websocket: WebSocket, identity: Identity) -> ClientSession:
        """The parts that one connection has to itself."""
        connection = self.parts.connection(
            identity.user_id,
            Transport(websocket.send_text, websocket.close),
            max_frames=self.settings.outbox_frames,
            max_bytes=self.settings.outbox_bytes,
            close_grace_s=self.settings.close_grace_s,
        )
        return self.parts.session(
            websocket,
            identity,
            connection,
            engine=self.engine,
            manager=self.manager,
            replayer=self.replayer,
            settings=self.settings,
        )

    def routes(self) -> list[BaseRoute]:
        """Where what is served (WIRE.md, Connect and HTTP)."""
        return [
            WebSocketRoute("/ws", self.gate.admit),
            Route("/runs", self.runs.start, methods=["POST"]),
            Route("/runs/{run_id}/events", self.runs.events, methods=["GET"]),
            Route("/agui", self.agui.run, methods=["POST"]),
            Route("/health", self.health.health, methods=["GET"]),
            Route("/ready", self.health.ready, methods=["GET"]),
            Route("/metrics", self.health.metrics, methods=["GET"]),
        ]


@asynccontextmanager
async def assemble(settings: Settings, parts: Parts) -> AsyncIterator[Assembly]:
    """A running engine: journal open, interrupted runs ended, everything wired; drained and closed on the way out."""
    async with AsyncExitStack() as stack:
        path = settings.journal
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-engine-"))
            path = Path(folder) / "journal.sqlite"
        journal = parts.journal(path, durable=settings.journal is not None)
        await journal.open()
        stack.push_async_callback(journal.close)
        assembly = Assembly(settings, parts, journal)
        stack.push_async_callback(assembly.outside.aclose)
        await finish_interrupted_runs(journal, assembly.create_recovery_emitter)
        stack.push_async_callback(assembly.drain)
        yield assembly


def assembled(settings: Settings, parts: Parts) -> AbstractAsyncContextManager[Assembly]:
    """A running engine: alone, or one of several, which needs the extra `redis`."""
    if settings.bus is None:
        return assemble(settings, parts)
    from reference_impl.fleet.assembly import assemble_fleet

    return assemble_fleet(settings, parts)


def create_app(settings: Settings, *, parts: Parts | None = None) -> Starlette:
    """The engine as an ASGI application. While it runs, its parts are at `app.state.assembly`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with assembled(settings, parts or Parts()) as assembly:
            app.state.assembly = assembly
            app.router.routes[:] = assembly.routes()
            yield

    return Starlette(lifespan=lifespan)

"""What is wired to what. Every part is made here, in the ASGI lifespan, and given its collaborators."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from reference_impl.agent import BaseAgent, ModelAgent
from reference_impl.agent_classes import AgentClassRegistry
from reference_impl.agent_factory import AgentInstanceFactory
from reference_impl.agent_run import AgentRun
from reference_impl.agui import AguiRoute
from reference_impl.auth import Authenticator, Identity
from reference_impl.bridge import AgentWebSocketBridge
from reference_impl.connection import Connection, Transport
from reference_impl.context import UserExecutionContext
from reference_impl.delivery_tracker import EventDeliveryTracker
from reference_impl.emitter import UserEventEmitter
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import CloseCode, JournalFailed
from reference_impl.gate import WebSocketGate
from reference_impl.journal import Journal
from reference_impl.llm import LLMManager
from reference_impl.model import Conversation, ScriptedModel
from reference_impl.operations.observer import Totals
from reference_impl.operations.routes import OperationsRoutes
from reference_impl.outside import Outside
from reference_impl.recovery import finish_interrupted_runs
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.reliability import ReliabilityManager, RetryHandler
from reference_impl.remote_model import RemoteModel
from reference_impl.remote_tools import RemoteToolbox
from reference_impl.replay import Replayer
from reference_impl.routes import EXCEPTION_HANDLERS, RunRoutes
from reference_impl.run import ExecutionState
from reference_impl.session import ClientSession
from reference_impl.settings import Settings
from reference_impl.tools import Toolbox, ToolDispatcher, Tools
from reference_impl.trace import traced
from reference_impl.uvicorn_protocol import SEND_TEXTS
from reference_impl.websocket_manager import WebSocketManager

NO_AGENTS: Mapping[str, type[BaseAgent]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which class plays each part. A variant of the engine replaces some by subclasses of them."""

    agent: type[BaseAgent] = ModelAgent
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

    def __init__(
        self, settings: Settings, parts: Parts, journal: Journal, agents: Mapping[str, type[BaseAgent]]
    ) -> None:
        traced.cache_clear()
        self.settings = settings
        self.parts = parts
        self.doomed = False
        self.journal = journal
        retry = RetryHandler(attempts=settings.call_attempts, wait_s=settings.retry_wait_s)
        self.reliability = ReliabilityManager(
            retry, threshold=settings.circuit_failures, reset_s=settings.circuit_reset_s
        )
        self.authenticator = parts.authenticator(settings.secret)
        # The registry, then connections, agents and tools.
        self.delivery = EventDeliveryTracker()
        self.registry = parts.registry(journal, self.delivery, max_open_per_user=settings.max_open_per_user)
        self.manager = parts.manager(max_per_user=settings.max_connections_per_user)
        self.bridge = AgentWebSocketBridge(journal, self.manager, self.delivery, retry, emitter=parts.emitter)
        self.registry.connect(self.bridge)
        self.replayer = parts.replayer(journal, self.registry)
        self.outside = Outside(settings.endpoints, self.reliability)
        self.llm = self.create_llm()
        self.classes = AgentClassRegistry()
        for name, agent in agents.items():
            self.classes.register(name, agent)
        self.registry.setup_agent_websocket_integration(parts.agent, self.classes)
        self.factory = AgentInstanceFactory(
            self.classes,
            self.llm,
            self.create_tools,
            settings,
            agent_run=parts.agent_run,
            dispatcher=parts.tool_dispatcher,
        )
        self.engine = parts.engine(
            self.registry,
            self.factory.create_run,
            self.reliability,
            max_running_per_user=settings.max_running_per_user,
            agent_name=settings.agent_name,
        )
        self.gate = parts.gate(self.authenticator, self.create_session, allowed_origins=settings.allowed_origins)
        self.runs = RunRoutes(self.authenticator, self.engine, self.registry, self.replayer, settings=settings)
        self.agui = parts.agui(self.authenticator, self.engine, self.registry, self.replayer, settings=settings)
        self.operations = OperationsRoutes(self.totals, self.healthy)
        journal.subscribe(self.bridge.deliver)
        journal.subscribe(self.operations.observer.note)
        journal.on_failure(self.close_failed)

    def create_llm(self) -> LLMManager:
        """The way to the one model that all runs ask."""
        settings = self.settings
        conversation = self.parts.conversation(self.journal, window_bytes=settings.model_window_bytes)
        scripted = settings.endpoints.model_url is None
        model = self.parts.model(conversation) if scripted else self.parts.remote_model(conversation, self.outside)
        return self.parts.llm(
            model, conversation, silence_s=settings.model_silence_s, cached_answers=settings.cached_answers
        )

    def create_tools(self, context: UserExecutionContext) -> Tools:
        """The tools of one run."""
        if self.settings.endpoints.tools_url is None:
            return self.parts.toolbox(context, self.journal)
        return self.parts.remote_toolbox(context, self.outside)

    def healthy(self) -> bool:
        """Whether runs are accepted."""
        return not self.engine.draining and self.registry.health()

    def totals(self) -> Totals:
        """The state of the engine in numbers."""
        runs = self.registry.metrics()
        return Totals(
            engine=self.settings.engine_name or "",
            engines=1,
            draining=self.engine.draining,
            users={"connected": self.manager.users(), "running": runs.users},
            connections=self.manager.states(),
            runs={state.value: runs.states.get(state, 0) for state in ExecutionState if not state.final},
            ended={state.value: runs.ended.get(state, 0) for state in ExecutionState if state.final},
            model_calls=self.llm.open_calls,
            delivered=runs.delivered,
            retried=runs.retried,
            lost=runs.lost,
            events=self.journal.events_written,
            commits=self.journal.commits,
            slow_consumers=self.manager.slow_consumers,
        )

    async def clean_up(self) -> None:
        """End, now and then, what goes on though its time limit has ended it. Does not return."""
        limit_s = self.settings.run_limit_s
        while True:
            await asyncio.sleep(limit_s)
            await self.engine.cleanup(older_than_s=limit_s + self.settings.close_grace_s)

    def close_failed(self) -> None:
        """The journal cannot write: end the connections rather than leave gaps (DLV-06)."""
        self.engine.draining = True
        for connection in self.manager:
            connection.close(CloseCode.INTERNAL, "internal error")

    async def drain(self) -> None:
        """End what is running and tell its users, then close the connections (LIF-05). May be called again."""
        await self.engine.drain(grace_s=self.settings.drain_s)
        with contextlib.suppress(JournalFailed):
            await self.journal.flush()
        await self.manager.close_all(CloseCode.RESTART, "restarting")

    def create_session(self, websocket: WebSocket, identity: Identity) -> ClientSession:
        """The parts that one connection has to itself."""
        connection = self.parts.connection(
            identity.user_id,
            transport_of(websocket),
            self.manager.outgoing,
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
            *self.operations.routes(),
        ]


def transport_of(websocket: WebSocket) -> Transport:
    """How to send on `websocket`: several frames at once where the server can do that, else one by one."""

    async def send_each(texts: Sequence[str]) -> None:
        for text in texts:
            await websocket.send_text(text)

    return Transport(websocket.scope.get("extensions", {}).get(SEND_TEXTS, send_each), websocket.close)


@asynccontextmanager
async def assemble(settings: Settings, parts: Parts, agents: Mapping[str, type[BaseAgent]]) -> AsyncIterator[Assembly]:
    """A running engine: journal open, interrupted runs ended, everything wired; drained and closed on the way out."""
    async with AsyncExitStack() as stack:
        path = settings.journal
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reference-engine-"))
            path = Path(folder) / "journal.sqlite"
        journal = parts.journal(path, durable=settings.journal is not None)
        await journal.open()
        stack.push_async_callback(journal.close)
        assembly = Assembly(settings, parts, journal, agents)
        stack.callback(assembly.operations.close)
        stack.push_async_callback(assembly.outside.aclose)
        await finish_interrupted_runs(journal, assembly.bridge)
        stack.push_async_callback(assembly.drain)
        cleaning = asyncio.create_task(assembly.clean_up())
        stack.callback(cleaning.cancel)
        yield assembly


def assembled(
    settings: Settings, parts: Parts, agents: Mapping[str, type[BaseAgent]]
) -> AbstractAsyncContextManager[Assembly]:
    """A running engine: alone, or one of several, which needs the extra `redis`."""
    if settings.bus is None:
        return assemble(settings, parts, agents)
    from reference_impl.fleet.assembly import assemble_fleet

    return assemble_fleet(settings, parts, agents)


def create_app(
    settings: Settings, *, parts: Parts | None = None, agents: Mapping[str, type[BaseAgent]] = NO_AGENTS
) -> Starlette:
    """The engine as an ASGI application, with `agents` by the names that clients call them.

    While it runs, its parts are at `app.state.assembly`.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with assembled(settings, parts or Parts(), agents) as assembly:
            app.state.assembly = assembly
            app.router.routes[:] = assembly.routes()
            yield

    return Starlette(lifespan=lifespan, exception_handlers=EXCEPTION_HANDLERS)

"""Makes what one request has to itself."""

from collections.abc import Callable

from reference_impl.agent import BaseAgent, Voice, Workplace
from reference_impl.agent_classes import AgentClassRegistry
from reference_impl.agent_run import AgentRun
from reference_impl.context import UserExecutionContext
from reference_impl.execution_tracker import Execution
from reference_impl.llm import LLMManager
from reference_impl.settings import Settings
from reference_impl.tools import ToolDispatcher, Tools

ToolsFactory = Callable[[UserExecutionContext], Tools]


class AgentInstanceFactory:
    """Makes a fresh agent and a fresh tool dispatcher for each request, and for each sub-agent of it.

    The run's emitter is the one that the registry returned: all of its agents speak through that, and nobody else does.
    """

    def __init__(
        self,
        classes: AgentClassRegistry,
        llm: LLMManager,
        create_tools: ToolsFactory,
        settings: Settings,
        *,
        agent_run: type[AgentRun] = AgentRun,
        dispatcher: type[ToolDispatcher] = ToolDispatcher,
    ) -> None:
        self._classes = classes
        self._llm = llm
        self._create_tools = create_tools
        self._settings = settings
        self._agent_run = agent_run
        self._dispatcher = dispatcher

    def create_run(self, execution: Execution) -> AgentRun:
        """The run of one accepted request; its agent is made when it begins."""
        assert execution.emitter is not None
        voice = Voice(execution.emitter, max_answer_bytes=self._settings.max_answer_bytes)

        def create_agent() -> BaseAgent:
            return self._create_agent(execution, voice, execution.context.agent_name, audible=True)

        return self._agent_run(execution, voice, create_agent, limit_s=self._settings.run_limit_s)

    def _create_agent(self, execution: Execution, voice: Voice, name: str, *, audible: bool) -> BaseAgent:
        assert execution.emitter is not None
        settings = self._settings
        tools = self._dispatcher(
            self._create_tools(execution.context),
            execution.emitter,
            interruption=lambda: execution.interruption,
            limit_s=settings.tool_limit_s,
            max_result_bytes=settings.max_result_bytes,
        )

        def colleague(name: str) -> BaseAgent:
            return self._create_agent(execution, voice, name, audible=False)

        workplace = Workplace(execution.context, voice, self._llm, tools, colleague, audible)
        return self._classes.resolve(name)(workplace)

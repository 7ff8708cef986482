"""Which kinds of agents there are."""

from collections.abc import Mapping
from types import MappingProxyType

from reference_impl.agent import BaseAgent
from reference_impl.context import require_id
from reference_impl.errors import EngineError, SharedState


class AgentClassRegistry:
    """The classes of agents, by the name that clients call them. Filled at startup, then sealed."""

    def __init__(self) -> None:
        self._classes: Mapping[str, type[BaseAgent]] = {}
        self._supervisor: type[BaseAgent] | None = None

    def register(self, name: str, agent: type[BaseAgent]) -> None:
        """Have runs of the agent called `name` done by instances of `agent`, each made for one run.

        Raises EngineError once sealed or where the name is taken; SharedState where `agent` is an object that all
        users would share, or a class that holds one.
        """
        if self._supervisor is not None:
            raise EngineError(f"{name}: agents are registered at startup; this registry is sealed.")
        if require_id(name, "agent") in self._classes:
            raise EngineError(f"{name}: there is an agent of that name already; give another.")
        self._classes = {**self._classes, name: _unshared(agent)}

    def seal(self, supervisor: type[BaseAgent]) -> None:
        """End startup: `supervisor` does what no registered agent is asked for by name. May be called once."""
        if self._supervisor is not None:
            raise EngineError("This registry is sealed already: make one for each engine.")
        self._supervisor = _unshared(supervisor)
        self._classes = MappingProxyType(dict(self._classes))

    def resolve(self, name: str) -> type[BaseAgent]:
        """The class of the agents called `name`: the supervisor's, where none is registered under it."""
        if self._supervisor is None:
            raise EngineError("Agents are not set up yet: seal the registry first.")
        return self._classes.get(name, self._supervisor)

    def names(self) -> list[str]:
        """The registered names, sorted."""
        return sorted(self._classes)


def _unshared(agent: type[BaseAgent]) -> type[BaseAgent]:
    if not isinstance(agent, type):
        raise SharedState(f"{type(agent).__name__} was given as an object, for all users: give the class itself.")
    for kind in agent.__mro__[: agent.__mro__.index(BaseAgent)]:
        for name, value in vars(kind).items():
            if isinstance(value, (dict, list, set, bytearray)) and not name.startswith("__"):
                raise SharedState(
                    f"{kind.__name__}.{name} is a {type(value).__name__} on the class, which all users would share:"
                    " make it in __init__, or a tuple or frozenset."
                )
    return agent

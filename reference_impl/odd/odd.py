"""What an oddity is: a variant of some part of the engine that surprises, and why it may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reference_impl.app import Parts
from reference_impl.errors import EngineError
from reference_impl.faulty.fault import part_of
from reference_impl.settings import Settings
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol


@dataclass(frozen=True, slots=True)
class Odd:
    """One legal peculiarity.

    `sentence` says what the engine does, `legal` by which rule it may. `variants` are the odd parts, `protocol` what
    writes WebSocket frames, `limits` the settings that differ.
    """

    name: str
    sentence: str
    legal: str
    variants: tuple[type, ...]
    protocol: type[PartingWebSocketProtocol]
    limits: Mapping[str, Any]

    @property
    def parts(self) -> Parts:
        """The parts of an engine with this oddity and no other."""
        return Parts(**{part_of(variant): variant for variant in self.variants})

    def settings(self, given: Settings) -> Settings:
        """The settings of such an engine."""
        return replace(given, **self.limits)


class UnknownOdd(EngineError):
    """There is no oddity of that name; `guess` is the nearest that there is, if one is near."""

    def __init__(self, name: str, *, guess: str | None) -> None:
        super().__init__(name, guess)
        self.name = name
        self.guess = guess

    def __str__(self) -> str:
        hint = f"did you mean {self.guess}? " if self.guess else ""
        return f"there is no oddity {self.name!r}; {hint}--list-odd prints all"


def odd(
    name: str,
    sentence: str,
    *,
    legal: str,
    with_parts: Sequence[type] = (),
    limits: Mapping[str, Any] | None = None,
) -> Callable[[type], Odd]:
    """Make an oddity of the decorated class: a subclass of one of the engine's parts, or of its WebSocket protocol.

    `with_parts` are further ones; `limits` are fields of `Settings`.
    """

    def make(variant: type) -> Odd:
        classes = (variant, *with_parts)
        protocols = [each for each in classes if issubclass(each, PartingWebSocketProtocol)]
        parts = tuple(each for each in classes if each not in protocols)
        return Odd(name, sentence, legal, parts, protocols[0] if protocols else PartingWebSocketProtocol, limits or {})

    return make

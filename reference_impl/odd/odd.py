"""What an oddity is: a variant of some part of the engine that surprises, and why it may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reference_impl.settings import Settings
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol
from reference_impl.variants import UnknownVariant, Variant


@dataclass(frozen=True, slots=True)
class Odd(Variant):
    """One legal peculiarity.

    `sentence` says what the engine does, `legal` by which rule it may. `variants` are the odd parts, `protocol` what
    writes WebSocket frames, `limits` the settings that differ.
    """

    legal: str
    protocol: type[PartingWebSocketProtocol]
    limits: Mapping[str, Any]

    def settings(self, given: Settings) -> Settings:
        """The settings of such an engine."""
        return replace(given, **self.limits)


class UnknownOdd(UnknownVariant):
    """There is no oddity of that name."""

    kind = "oddity"
    option = "--list-odd"


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
        return Odd(name, sentence, parts, legal, protocols[0] if protocols else PartingWebSocketProtocol, limits or {})

    return make

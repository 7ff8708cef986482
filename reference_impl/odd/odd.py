"""What an oddity is: a variant of some part of the engine that surprises, and why it may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.uvicorn_protocol import PartingWebSocketProtocol
from reference_impl.variants import UnknownVariant, Variant


@dataclass(frozen=True, slots=True)
class Odd(Variant):
    """One legal peculiarity.

    `sentence` says what the engine does, `legal` by which rule it may. `variants` are the odd parts.
    """

    kind = "oddity"
    legal: str


class UnknownOdd(UnknownVariant):
    """There is no oddity of that name."""

    kind = Odd.kind
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
        protocol = protocols[0] if protocols else PartingWebSocketProtocol
        return Odd(name, sentence, parts, legal, protocol=protocol, limits=limits or {})

    return make

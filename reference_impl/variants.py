"""What faulty and odd engines share: variants of parts under a name, found by being there."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from reference_impl.app import Parts
from reference_impl.errors import EngineError
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol


@dataclass(frozen=True, slots=True)
class Variant:
    """An engine of which some parts are subclasses of the engine's own.

    `sentence` says what it does, `protocol` writes its WebSocket frames, `limits` are the settings that differ.
    """

    kind: ClassVar[str]
    name: str
    sentence: str
    variants: tuple[type, ...]
    protocol: type[PartingWebSocketProtocol] = field(default=PartingWebSocketProtocol, kw_only=True)
    limits: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    @property
    def parts(self) -> Parts:
        """The parts of such an engine; all others are the engine's own."""
        return Parts(**{part_of(variant): variant for variant in self.variants})


V = TypeVar("V", bound=Variant)


class UnknownVariant(EngineError):
    """There is no variant of that name; `guess` is the nearest that there is, if one is near."""

    kind: ClassVar[str]
    option: ClassVar[str]

    def __init__(self, name: str, *, guess: str | None) -> None:
        super().__init__(name, guess)
        self.name = name
        self.guess = guess

    def __str__(self) -> str:
        hint = f"did you mean {self.guess}? " if self.guess else ""
        return f"there is no {self.kind} {self.name!r}; {hint}{self.option} prints all"


def collected(package: str, kind: type[V]) -> tuple[V, ...]:
    """Every variant of that kind in the modules of `package`, by name. Raises ValueError if two share a name."""
    found: dict[str, V] = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        for each in vars(importlib.import_module(f"{package}.{module.name}")).values():
            if isinstance(each, kind) and found.setdefault(each.name, each) is not each:
                raise ValueError(f"{module.name}.py: there is another {each.name!r}: give it a new name.")
    return tuple(found[name] for name in sorted(found))


def find(name: str, among: Iterable[V], unknown: type[UnknownVariant]) -> V:
    """The variant of that name. Raises `unknown`, with the nearest name if one is near."""
    by_name = {each.name: each for each in among}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name.strip().lower().replace("_", "-"), by_name, n=1)
    raise unknown(name, guess=near[0] if near else None)


def part_of(variant: type) -> str:
    """The name of the part that `variant` plays. Raises TypeError if it is a subclass of none."""
    for part in fields(Parts):
        default: Any = part.default
        if issubclass(variant, default):
            return part.name
    raise TypeError(f"{variant.__name__} is no variant of a part: expected a subclass of one of those in Parts.")

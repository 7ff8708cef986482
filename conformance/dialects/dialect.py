"""What a dialect is: requests out, canonical events in, no sockets and no clock."""

from collections.abc import Sequence
from typing import Protocol

from conformance.events import Event
from conformance.history.operations import Asked


class Decoder(Protocol):
    """Decodes the frames of one connection, in order."""

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's canonical events, and what is wrong with its form (`Flaw`). Never raises."""
        ...


class Dialect(Protocol):
    """A protocol that targets speak.

    `intrinsic` are the capabilities that every target of this dialect has; `implied` those that it is taken to have
    where it announces none.
    """

    name: str
    transport: str
    intrinsic: frozenset[str]
    implied: frozenset[str]

    def decoder(self) -> Decoder:
        """Return a decoder for a new connection."""
        ...

    def request(self, asked: Asked, text: str) -> str:
        """Return the frame that asks for `asked`; `text` is what the user says, or the raw frame for garbage."""
        ...

    def read_url(self, url: str, run_id: str) -> str:
        """Return the URL under which a run's events can be read over HTTP; `url` is the target's."""
        ...

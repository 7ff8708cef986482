"""What the engines of a fleet tell one another, and its encoding (MessagePack)."""

from typing import NewType

import msgspec

from reference_impl.context import UserExecutionContext, UserId
from reference_impl.errors import ErrorCode, Refusal
from reference_impl.events import Event
from reference_impl.messages import RunRequest

EngineId = NewType("EngineId", str)


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Events that are in the journal, of one user, in order; for the engines where that user is connected."""

    user_id: UserId
    events: list[Event]


class StartRun(msgspec.Struct, frozen=True, tag="start"):
    """Start a run for a user whose runs are yours."""

    ask: int
    sender: EngineId
    user_id: UserId
    request: RunRequest


class StopRun(msgspec.Struct, frozen=True, tag="stop"):
    """Stop a run of yours."""

    ask: int
    sender: EngineId
    user_id: UserId
    run_id: str


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The run was accepted, or was before."""

    ask: int
    context: UserExecutionContext
    duplicate: bool


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The request was refused; the user is told why."""

    ask: int
    code: ErrorCode
    message: str

    @property
    def refusal(self) -> Refusal:
        """The same as an exception."""
        return Refusal(self.code, self.message)


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It was done, and there is nothing to tell."""

    ask: int


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """The engine is ending: ask again when it is gone."""

    ask: int


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """Not here, or not any more: look again for who is to be asked."""

    ask: int


Question = StartRun | StopRun
Answer = Accepted | Refused | Done | Leaving | Moved
Message = Told | Question | Answer

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """Decode a message."""
    return _decoder.decode(data)

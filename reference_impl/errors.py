"""What can go wrong, and the codes under which a client hears of it (WIRE.md, Errors and closing)."""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    """Codes of an `error` frame and of an HTTP error body."""

    BAD_JSON = "bad_json"
    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"


class CloseCode(IntEnum):
    """WebSocket close codes that the engine uses."""

    CREDENTIALS = 1008
    TOO_LARGE = 1009
    INTERNAL = 1011
    RESTART = 1012
    OVERLOADED = 1013
    SLOW_CONSUMER = 4408


class EngineError(Exception):
    """Root of every exception that the engine raises on purpose."""


class InvalidIdentity(EngineError):
    """An id is missing, empty or a placeholder (IDN-01, IDN-02)."""


class SharedState(EngineError):
    """An object that several runs could change was given to one of them (ISO-01)."""


class InvalidCredentials(EngineError):
    """The token is missing, malformed, expired, wrongly signed or names no user (ACC-01, ACC-02)."""


class Refusal(EngineError):
    """A request that is answered with an error frame. `message` is shown to the client: no secrets in it (SCH-06)."""

    def __init__(self, code: ErrorCode, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id

    @classmethod
    def not_found(cls) -> "Refusal":
        """The one answer for what does not exist and for what is somebody else's (ACC-04)."""
        return cls(ErrorCode.NOT_FOUND, "You have no such run, thread or event.")

    @classmethod
    def bad_message(cls, message: str) -> "Refusal":
        """A message whose form is wrong (LIF-08)."""
        return cls(ErrorCode.BAD_MESSAGE, message)

    @classmethod
    def rate_limited(cls, message: str) -> "Refusal":
        """More than one user may have (ISO-12)."""
        return cls(ErrorCode.RATE_LIMITED, message)

    @classmethod
    def already_ended(cls) -> "Refusal":
        """The user's own run has ended: there is nothing left to stop."""
        return cls(ErrorCode.NOT_FOUND, "That run of yours has already ended.")

    @classmethod
    def restarting(cls) -> "Refusal":
        """The engine is shutting down or cannot write."""
        return cls(ErrorCode.INTERNAL, "The engine is restarting: connect again and repeat the request.")


class JournalFailed(EngineError):
    """The journal could not write; nothing more can be promised until the engine is restarted."""


class ModelFailed(EngineError):
    """The model failed. The message is shown to the user (EVT-10)."""


class Unavailable(EngineError):
    """What runs elsewhere cannot be reached: tried several times, or not at all while its circuit is open."""


class ToolFailed(EngineError):
    """A tool failed. `code` and the message are shown to the user (EVT-11)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

"""Every number and name that can be set, in one place. Nothing here reads the environment; `server.py` does."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from reference_impl.outside import OWN, Endpoints

MAY_BE_ZERO = frozenset({"drain_s", "join_grace_s", "model_window_bytes", "cached_answers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Configuration of one engine. Times are seconds, sizes bytes.

    Raises ValueError if a value makes no sense; the message names the field and the value.
    """

    secret: str = field(repr=False)
    """Verifies the tokens (HS256, HS384, HS512)."""
    journal: Path | None = None
    """SQLite file that survives restarts. None: a temporary file, removed at shutdown."""
    agent_name: str = "reference-agent"
    """`agent_name` of events where the client names no agent."""
    allowed_origins: frozenset[str] = frozenset()
    """Browser origins allowed besides the engine's own, such as `https://app.example.org` (ACC-07)."""
    endpoints: Endpoints = OWN
    """Where the model and the tools are, if they run elsewhere."""

    journal_url: str | None = field(default=None, repr=False)
    """A PostgreSQL database in the place of the file, for engines on several hosts; needs a `bus`."""
    bus: str | None = field(default=None, repr=False)
    """URL of the Redis through which several engines act as one; None: this one is alone. Needs a `journal`."""
    engine_name: str | None = None
    """What an engine of several is called. One that starts ends what runs its predecessor of that name left open."""
    lease_s: float = 5.0
    """An engine of several that shows no life for so long is dead to the others, which end its runs (LIF-06)."""

    heartbeat_s: float = 25.0
    run_limit_s: float = 60.0
    """A run that works longer than this ends with code `timeout` (LIF-03). Waiting in a queue does not count."""
    model_silence_s: float | None = None
    """How long the model may take for its next move; None: as long as the run may."""
    tool_limit_s: float | None = None
    """How long one call of a tool may take; None: as long as the run may."""
    drain_s: float = 1.0
    """How long running runs may go on after a shutdown was asked for, before they are ended (LIF-05)."""
    close_grace_s: float = 5.0
    """How long a closing connection may take to send what is queued."""

    join_grace_s: float = 1.0
    """How long a new connection does not get the runs under way, so that its `resume` can bring them in order."""

    max_message_bytes: int = 65_536
    max_running_per_user: int = 16
    max_open_per_user: int = 64
    """Running and queued runs; more are refused with `rate_limited` (ISO-12)."""
    max_connections_per_user: int = 128
    max_replays_per_connection: int = 256
    """Resumes that may wait on one connection."""

    outbox_frames: int = 4_096
    outbox_bytes: int = 4 * 1024 * 1024
    """What may wait for one connection's reader; beyond it the connection is closed with 4408 (DLV-06)."""
    max_result_bytes: int = 1024 * 1024
    """The most that a tool may return."""
    max_answer_bytes: int = 4 * 1024 * 1024
    """The most that the agents of one run may say."""
    model_window_bytes: int = 32_768
    """How much of a thread's earlier messages the model can see."""

    cached_answers: int = 0
    """Answers of the model kept for each user, to be given to the same user for the same messages."""

    call_attempts: int = 3
    """How often something elsewhere is called that cannot be reached, and `retry_wait_s` the first pause between."""
    retry_wait_s: float = 0.1
    circuit_failures: int = 5
    """Calls in a row that could not be made, after which none is tried for `circuit_reset_s` seconds."""
    circuit_reset_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.secret:
            raise ValueError("Settings.secret is empty: give the secret that verifies tokens, 32 bytes or more.")
        if self.bus is not None and (self.journal is None) == (self.journal_url is None):
            raise ValueError("Settings.bus needs the one journal that all engines share: a file or a journal_url.")
        if self.bus is not None and not self.bus.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("Settings.bus must be the URL of a Redis: redis://…, rediss://… or unix://….")
        if self.bus is None and self.journal_url is not None:
            raise ValueError("Settings.journal_url is for several engines: give their bus, or a journal in a file.")
        for each in fields(self):
            value = getattr(self, each.name)
            zero = each.name in MAY_BE_ZERO
            if isinstance(value, (int, float)) and not (value >= 0 if zero else value > 0):
                least = "0 or more" if zero else "more than 0"
                raise ValueError(f"Settings.{each.name} must be {least}, not {value!r}.")

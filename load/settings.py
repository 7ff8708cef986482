"""What a load is to do: data, handed from the command to the generator in a file."""

import os
from pathlib import Path

import msgspec

from conformance.target import Target

FILE = "AGENT_CONFORMANCE_LOAD"
"""The variable that names the file in which a generator finds its settings."""

SHAPE = "LOAD_SHAPE"
"""The variable that names a shape for who starts Locust by hand."""


class Settings(msgspec.Struct, frozen=True):
    """How to load a target. `url` is where it listens, whatever the target file says.

    `rate` is how many runs begin per second, whatever becomes of them (open model); where it is None each user asks,
    waits and thinks (closed model). `late_ms` is how late the generator may be (99th percentile) before its latencies
    say nothing. `grace_s` is how long runs may go on at the end. `fail_fast` ends the load with the first violation.
    `metrics` is where to serve them for Prometheus: PORT or HOST:PORT.
    """

    target: Target
    url: str
    out: str
    seed: int = 0
    rate: float | None = None
    shape: str | None = None
    users: int = 1
    spawn_rate: float = 50.0
    duration_s: float = 60.0
    late_ms: float = 100.0
    grace_s: float = 30.0
    repeat: str | None = None
    fail_fast: bool = False
    metrics: str | None = None

    def write(self, path: Path) -> None:
        """Write them to a file."""
        path.write_bytes(msgspec.json.encode(self))


def shape() -> str | None:
    """Return the shape that is asked for, if any is."""
    settings = handed_over()
    return settings.shape if settings is not None else os.environ.get(SHAPE)


def handed_over() -> Settings | None:
    """Return the settings that the command has handed over, if it has started this process."""
    path = os.environ.get(FILE)
    return msgspec.json.decode(Path(path).read_bytes(), type=Settings) if path else None

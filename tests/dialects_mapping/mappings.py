"""Mappings for tests, and what becomes of recordings under them."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import conformance.dialects.mapping as package
from conformance.catalogue import load
from conformance.dialects.mapping import MappingDialect, from_file, from_text
from conformance.events import Event
from conformance.recording import judge_frames
from conformance.verdict import Verdict

EXAMPLES = Path(package.__file__).parent / "examples"
CATALOGUE = load()
HEAD = """
[mapping]
name = "acme"
transport = "ndjson"
type = "t"
"""
DONE = """
[[event]]
is = "run_completed"
when = { t = "done" }
"""
STARTED = """
[[event]]
is = "run_started"
when = { t = "start" }
"""


def example(name: str) -> MappingDialect:
    return from_file(EXAMPLES / f"{name}.toml")


def mapping(text: str) -> MappingDialect:
    """A mapping, as it is read from a file."""
    return from_text(text, "acme.toml")


def told(dialect: MappingDialect, frames: Iterable[Any], *, closed: bool = False) -> list[Event]:
    """The events of the frames of one connection."""
    decoder = dialect.decoder()
    events = [event for frame in frames for event in decoder.decode(encode(frame))]
    return [*events, *(decoder.closed() if closed else ())]


def encode(frame: Any) -> bytes:
    return frame if isinstance(frame, bytes) else json.dumps(frame).encode()


def named(name: str, data: Any) -> bytes:
    """A server-sent event with a name."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"event: {name}\ndata: {text}".encode()


def check(name: str, recording: bytes) -> Verdict:
    """Judge a recording by one of the example files."""
    path = str(EXAMPLES / f"{name}.toml")
    verdict = judge_frames(io.BytesIO(recording), name="by hand", dialect=path, catalogue=CATALOGUE)
    assert verdict.harness_errors == ()
    return verdict


def violated(name: str, recording: bytes) -> set[str]:
    return {requirement.id for requirement in check(name, recording).requirements if requirement.verdict == "fail"}

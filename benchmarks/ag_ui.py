"""How fast a long capture of AG-UI is judged, beside `ag-ui-validate` from PyPI and the plain decoding of its events.

python -m benchmarks.ag_ui [--events N] [--validator PATH]
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import IO, Any
from uuid import UUID

import msgspec

from benchmarks.judge import child, on_one_core, print_figures, run_child, time_judging
from conformance.catalogue import Catalogue
from conformance.recording import judge_frames
from conformance.verdict import Verdict

_ENCODE = msgspec.json.Encoder().encode
_BEGAN_MS = 1_769_851_800_000
_PIECES = (5, 20, 100, 300)
_TIMES = 3
_VALIDATOR = "ag-ui-validate==0.4.0"
Wire = dict[str, Any]


class Capture:
    """Makes the server-sent events of one long stream: runs with a thought, tool calls and a streamed answer each.

    How many pieces an answer has is drawn from `pieces`; there are at least `events` events.
    """

    def __init__(self, *, events: int, pieces: tuple[int, ...] = _PIECES, seed: int = 1) -> None:
        self._random = Random(seed)
        self._events = events
        self._pieces = pieces
        self._now = _BEGAN_MS

    def blocks(self) -> Iterator[bytes]:
        """Yield the events, each with the empty line that ends it."""
        told = 0
        while told < self._events:
            for wire in self._run():
                told += 1
                self._now += self._random.randrange(3)
                yield b"data: " + _ENCODE(wire | {"timestamp": self._now}) + b"\n\n"

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _run(self) -> Iterator[Wire]:
        ids = {"threadId": self._id(), "runId": self._id()}
        yield {"type": "RUN_STARTED"} | ids
        yield from self._message("REASONING", "REASONING_MESSAGE", ["think", "ing about", " it"])
        for _ in range(self._random.randrange(3)):
            yield from self._call()
        words = [f"word{self._random.randrange(1000)} " for _ in range(self._random.choice(self._pieces))]
        yield from self._message(None, "TEXT_MESSAGE", words)
        yield {"type": "RUN_FINISHED"} | ids

    def _message(self, phase: str | None, name: str, pieces: list[str]) -> Iterator[Wire]:
        message = {"messageId": self._id()}
        role = "assistant" if phase is None else "reasoning"
        if phase is not None:
            yield {"type": f"{phase}_START"} | message
        yield {"type": f"{name}_START"} | message | {"role": role}
        for piece in pieces:
            yield {"type": f"{name}_CONTENT"} | message | {"delta": piece}
        yield {"type": f"{name}_END"} | message
        if phase is not None:
            yield {"type": f"{phase}_END"} | message

    def _call(self) -> Iterator[Wire]:
        call = {"toolCallId": self._id()}
        yield {"type": "TOOL_CALL_START"} | call | {"toolCallName": "search"}
        for piece in ('{"query": ', '"weather in', ' Paris"}'):
            yield {"type": "TOOL_CALL_ARGS"} | call | {"delta": piece}
        yield {"type": "TOOL_CALL_END"} | call
        yield {"type": "TOOL_CALL_RESULT"} | call | {"messageId": self._id(), "role": "tool", "content": "sunny"}


def main() -> int:
    """Measure. Returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure how fast a capture of AG-UI is judged.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the capture (default 1,000,000)")
    parser.add_argument(
        "--validator", type=Path, help=f"the command of {_VALIDATOR}; installed for the time if not given"
    )
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(_CHILDREN, *options.child)
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as folder:
        path = Path(folder) / "capture.sse"
        sys.stderr.write(f"writing a capture of {options.events:,} events …\n")
        with path.open("wb") as file:
            file.writelines(Capture(events=options.events).blocks())
        judged = [run_child("benchmarks.ag_ui", "judge", path) for _ in range(_TIMES)]
        decoded = [run_child("benchmarks.ag_ui", "decode", path) for _ in range(_TIMES)]
        sys.stdout.write(f"AG-UI: {judged[0].seen:,} events, {path.stat().st_size / 1e6:.0f} MB\n")
        met = print_figures("judge_frames", judged, decoded)
        seconds = _validated(options.validator or _install(Path(folder)), path)
        sys.stdout.write(f"  {'ag-ui-validate':17} {judged[0].seen / seconds:11,.0f} events/s   (its command, whole)\n")
    return 0 if met else 1


def _judge(path: Path) -> tuple[float, int]:
    """Judge a capture as the command does."""

    def judge(lines: IO[bytes], catalogue: Catalogue) -> Verdict:
        return judge_frames(lines, name=path.name, dialect="ag-ui", catalogue=catalogue)

    return time_judging(path, judge)


def _decode(path: Path) -> tuple[float, int]:
    """Decode every event, and nothing else."""
    on_one_core()
    decode = msgspec.json.Decoder().decode
    count = 0
    began = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b"data: "):
                decode(line[6:])
                count += 1
    return time.perf_counter() - began, count


_CHILDREN = {"judge": _judge, "decode": _decode}


def _install(folder: Path) -> Path:
    """Install the validator into an environment of its own."""
    sys.stderr.write(f"installing {_VALIDATOR} …\n")
    environment = folder / "validator"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    command = [str(environment / "bin" / "pip"), "install", "--quiet", _VALIDATOR]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return environment / "bin" / "ag-ui-validate"


def _validated(command: Path, path: Path) -> float:
    """Return the seconds that the validator takes, the median of a few times."""
    found = shutil.which(command)
    if found is None:
        raise SystemExit(f"{command}: no such command")
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        subprocess.run([found, "--group", "--no-color", path], stdout=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())

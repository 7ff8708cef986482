"""`agent-conformance check`: judge recordings without the target."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import click
import msgspec

from conformance.cli.outcome import conclude, folder, selected
from conformance.errors import UsageError
from conformance.verdict import Verdict


@click.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--dialect", help="What the recording holds, where it is no history of the kit.")
@click.option("--only", metavar="ID,FAMILY", help="Only these requirements.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write the reports.")
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
def command(
    files: tuple[str, ...], dialect: str | None, only: str | None, out: Path | None, strict: bool, as_json: bool
) -> int:
    """Judge recordings: histories that `verify` wrote, frames of one connection as JSON Lines, or event streams.

    \b
      agent-conformance check reports/out/verify-20260131-093000/history.jsonl
      agent-conformance check frames.jsonl --dialect five-events
      agent-conformance check run.sse --dialect ag-ui
      cat frames.jsonl | agent-conformance check - --dialect five-events
    """
    names = selected(only)
    directory = folder(out, "check")
    codes = []
    for number, file in enumerate(files, start=1):
        verdict, history = _judge(file, dialect, names)
        place = directory if len(files) == 1 else directory / f"{number}-{Path(file).stem}"
        place.mkdir(parents=True, exist_ok=True)
        codes.append(conclude(verdict, out=place, as_json=as_json, strict=strict, history=history))
    return max(codes)


def _judge(file: str, dialect: str | None, only: tuple[str, ...]) -> tuple[Verdict, Path | None]:
    """Return the verdict on a recording, and the file, where it is a history that can be read again."""
    from conformance.catalogue import load
    from conformance.recording import judge_frames
    from conformance.rejudge import judge_recording

    catalogue = load()
    name = "standard input" if file == "-" else file
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines:
            if dialect is not None and not _is_history(lines, file):
                return judge_frames(lines, name=name, dialect=dialect, catalogue=catalogue, only=only), None
            verdict = judge_recording(lines, name=name, catalogue=catalogue, only=only)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    return msgspec.structs.replace(verdict, command="check"), None if file == "-" else Path(file)


def _is_history(lines: IO[bytes], file: str) -> bool:
    if file == "-":
        return False
    first = lines.read(64)
    lines.seek(0)
    return first.startswith(b'{"op":"history"')

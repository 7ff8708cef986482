"""`make kill-matrix`: drive every faulty engine, and see whether it is found out by exactly what it declares."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from conformance import catalogue
from reference_impl.faulty import all_faults, named
from reference_impl.faulty.fault import Fault, UnknownFault
from tests.kill_matrix.matrix import Kill, Matrix, on_the_wire, problems
from tests.kill_matrix.play import NotPlayed, play
from tests.kill_matrix.report import render

_ROOT = Path(__file__).parents[2]
OUT = _ROOT / "reports" / "out" / "kill-matrix"
REPORT = _ROOT / "reports" / "samples" / "kill-matrix.md"
_AT_ONCE = 2
_SEED = 1
_KILL = "kill.json"


def main(words: list[str]) -> int:
    """Return 0 where each defect is caught by what it declares and some defect breaks each MUST, else 1."""
    parser = argparse.ArgumentParser(prog="make kill-matrix", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these faults; the report is of all, so it is not written then")
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often each is driven, with another seed (default: 1)"
    )
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help=f"how many at a time (default: {_AT_ONCE})")
    parser.add_argument("--again", action="store_true", help="take the others from their last run, and report on all")
    parser.add_argument("--out", type=Path, default=OUT, help="where the runs' own reports go")
    given = parser.parse_args(words)
    try:
        faults = [named(name) for name in given.names] or _sure()
    except UnknownFault as error:
        parser.error(str(error))
    whole = not given.names or given.again
    holds = True
    for number in range(given.rounds):
        kills = asyncio.run(play_all(faults, given.out, seed=_SEED + number, at_once=given.at_once))
        if given.again:
            kills = with_last(kills, given.out)
        matrix = Matrix(kills, on_the_wire(catalogue.load()))
        holds = conclude(matrix, whole=whole) and holds
        if whole and number == 0:
            REPORT.parent.mkdir(parents=True, exist_ok=True)
            REPORT.write_text(render(matrix, at_once=given.at_once))
            print(f"written: {REPORT.relative_to(_ROOT)}")
    return 0 if holds else 1


async def play_all(faults: Sequence[Fault], out: Path, *, seed: int, at_once: int) -> list[Kill]:
    """Drive each, some at a time, and print a line for each."""
    places = asyncio.Semaphore(at_once)
    print(f"{'defect':<38}{'detected':>10}{'whole run':>11}  broken")

    async def one(fault: Fault) -> Kill:
        folder = out / fault.name
        async with places:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                kill = await play(fault, folder, seed=seed)
            except NotPlayed as error:
                kill = Kill(fault.name, fault.breaks, frozenset(), None, 0.0, fault.outside, (str(error),))
        (folder / _KILL).write_bytes(msgspec.json.encode(kill))
        print(line(kill), flush=True)
        return kill

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(fault)) for fault in faults]
    return [task.result() for task in tasks]


def with_last(kills: Sequence[Kill], out: Path) -> list[Kill]:
    """Return these, and for every other fault what its last run found. Raises `NotPlayed` where there was none."""
    new = {kill.fault: kill for kill in kills}
    return [new.get(fault.name) or _last(fault, out / fault.name / _KILL) for fault in _sure()]


def _last(fault: Fault, path: Path) -> Kill:
    try:
        kill = msgspec.json.decode(path.read_bytes(), type=Kill)
    except FileNotFoundError as error:
        raise NotPlayed(f"{fault.name} was not played yet: there is no {path}") from error
    return msgspec.structs.replace(kill, declared=fault.breaks, perhaps=fault.perhaps)


def _sure() -> list[Fault]:
    """Return the faults that some scenario is sure to bring out."""
    return [fault for fault in all_faults() if not fault.rare]


def line(kill: Kill) -> str:
    """Return what is printed of one."""
    detected = "never" if kill.detected_s is None else f"{kill.detected_s:.2f} s"
    marks = [f"{name}{'!' if name in kill.undeclared else ''}" for name in sorted(kill.found)]
    marks += [f"({name}?)" for name in sorted(kill.missed)]
    return f"{kill.fault:<38}{detected:>10}{kill.took_s:>9.1f} s  {' '.join(marks)}"


def conclude(matrix: Matrix, *, whole: bool) -> bool:
    """Print what is not as it must be, and the sum of it; return whether all is."""
    found = [*problems(matrix, whole=whole)]
    for problem in found:
        print(f"NOT AS IT MUST BE  {problem}")
    caught, of = sum(kill.caught for kill in matrix.kills), len(matrix.kills)
    print(f"{caught} of {of} caught by exactly what they declare; median time to detection {matrix.median_s():.2f} s")
    if whole:
        musts = [each for each in matrix.requirements if each.level == "MUST"]
        print(f"{len(musts) - len(matrix.immortal())} of {len(musts)} MUSTs on the wire have a killer")
    return not found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NotPlayed as error:
        sys.exit(str(error))

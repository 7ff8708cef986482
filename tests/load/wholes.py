"""Reports and wholes, made by hand."""

from msgspec.structs import replace

from conformance.verdict import Verdict
from load.measure import DELIVERY, FIRST_EVENT, RUN
from load.result import Report, Whole, merge
from load.sketch import Sketch
from tests.reports.report_verdicts import passing

SLOW_US, FAST_US, EARLY_US = 900_000, 20_000, -300_000


def verdict() -> Verdict:
    return replace(passing(), requirements=(), command="load")


def sketched(*, fast: int, slow: int) -> dict[int, int]:
    return dict(Sketch({FAST_US: fast, SLOW_US: slow}).counts)


def report(
    *,
    worker: int = 0,
    fast: int = 5_000,
    slow: int = 0,
    lost: int = 0,
    failed: int = 0,
    doubtful: int = 0,
    early: int = 0,
    late_us: int = 1_000,
    behind_us: int = 0,
    clock_error_us: float | None = 0.0,
) -> Report:
    """A report of a load of one behaviour; `doubtful` slow samples were seen while the generator was late.

    `early` samples came before their timestamps. Each run began `behind_us` later than it was due (open model).
    """
    counts = sketched(fast=fast, slow=slow)
    late = f"{DELIVERY}, while the generator was late"
    return Report(
        worker=worker,
        began_us=1_000_000 * worker,
        verdict=verdict(),
        shares={"DLV-01": (lost, fast + slow, 0.001)},
        sketches=[
            (DELIVERY, "chat", "TEXT", counts | ({EARLY_US: early} if early else {})),
            (FIRST_EVENT, "chat", "", counts),
            (RUN, "chat", "", counts),
            *([(late, "chat", "TEXT", {SLOW_US: doubtful})] if doubtful else []),
        ],
        seconds={0: (10, 9, fast + slow, counts)},
        outcomes=[("chat", None, 1_000 - failed), *([("chat", "no end", failed)] if failed else [])],
        lateness={late_us: 100},
        arrivals={behind_us: 100},
        cpu_percent=[10.0, 20.0],
        peak_mb=100.0,
        clock_error_us=clock_error_us,
    )


def whole(**options: int | float | None) -> Whole:
    return merge([report(**options)])  # type: ignore[arg-type]

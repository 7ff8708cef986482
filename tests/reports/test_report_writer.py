from pathlib import Path

import msgspec
import pytest

from conformance.verdict import Verdict
from reports.writer import write_all
from tests.reports.report_verdicts import hostile, passing, sample

NAMES = ["verdict.json", "report.html", "report.md", "junit.xml", "results.sarif"]


@pytest.mark.parametrize("verdict", [sample(), passing(), hostile()], ids=["sample", "passing", "hostile"])
def test_every_format_is_written_as_utf_8(verdict: Verdict, tmp_path: Path) -> None:
    directory = tmp_path / "reports" / "out" / "run"
    written = write_all(verdict, directory)
    assert written == [directory / name for name in NAMES]
    assert sorted(path.name for path in directory.iterdir()) == sorted(NAMES)
    assert all(len(path.read_bytes().decode("utf-8")) > 100 for path in written)
    assert msgspec.json.decode(written[0].read_bytes(), type=Verdict) == verdict


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    write_all(sample(), tmp_path)
    write_all(passing(), tmp_path)
    assert msgspec.json.decode((tmp_path / "verdict.json").read_bytes(), type=Verdict) == passing()
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# PASS")
    assert len(list(tmp_path.iterdir())) == len(NAMES)


def test_the_verdict_is_kept_when_a_report_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()
    with pytest.raises(OSError, match=r"report\.md"):
        write_all(sample(), tmp_path)
    assert msgspec.json.decode((tmp_path / "verdict.json").read_bytes(), type=Verdict) == sample()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md", "verdict.json"]

"""A tree with one example of everything planted in it, and its repaired twin."""

import subprocess
from pathlib import Path

from conformance.catalogue import load
from conformance.verdict import Outcome
from contracts.audit import Options, audit
from contracts.rule import files_of
from tests.contracts.trees import audited, configured, found, marked, write

HERE = Path(__file__).parent
PLANTED = files_of((HERE / "planted.txt").read_text())
REPAIRED = files_of((HERE / "repaired.txt").read_text())


def test_something_is_planted_for_every_requirement() -> None:
    assert {id for id, _ in marked(PLANTED)} == {r.id for r in load() if r.family in ("SRC", "TST")}


def test_what_is_planted_is_found_at_its_line_and_nothing_else(here: Path) -> None:
    assert found(audited(write(here, PLANTED))) == marked(PLANTED)


def test_nothing_is_found_in_the_repaired_twin(here: Path) -> None:
    result = audited(write(here, REPAIRED))
    assert found(result) == set()
    assert {r.id for r in result.verdict.requirements if r.verdict is not Outcome.PASS} == set()


def test_imports_are_told_apart_by_when_they_run(here: Path) -> None:
    result = audited(write(here, PLANTED), "SRC-01")
    kinds = [finding.message.rpartition("imported ")[2] for finding in result.verdict.findings]
    assert kinds == ["at the top level", "at the top level, guarded by try", "lazy, inside a function"]


def test_a_module_deleted_in_this_change_is_missed_where_it_is_imported(here: Path) -> None:
    from contracts.since import introduced

    write(here, {**REPAIRED, "src/shop/lost.py": "import shop.never_there\n"})
    _git("init", "-q")
    _git("add", "-A")
    _git("-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "all")
    (here / "src/shop/fast.py").unlink()
    result = audited(here, "SRC-01")
    assert len(result.verdict.findings) == 2
    config, options = configured(here), Options(only=("SRC-01",), processes=1)
    (finding,) = introduced(result, "HEAD", [Path()], config, options).verdict.findings
    assert finding.location == "src/shop/found.py:5"
    assert finding.message == "there is no module shop.fast; imported at the top level, guarded by try"


def test_the_same_is_found_in_parallel_and_from_the_cache(here: Path) -> None:
    files = {f"src/shop/more_{number}.py": "import shop.gone\n" for number in range(160)}
    write(here, {**PLANTED, **files})
    alone = found(audited(here))
    cache = here / ".cache"
    for _ in range(2):
        assert found(audit([Path()], configured(here), Options(cache=cache, processes=2))) == alone
    assert (cache / ".gitignore").read_text() == "*\n"
    (here / "src/shop/more_7.py").write_text("import shop.mail\n")
    changed = found(audit([Path()], configured(here), Options(cache=cache)))
    assert alone - changed == {("SRC-01", "src/shop/more_7.py:1")}


def _git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)

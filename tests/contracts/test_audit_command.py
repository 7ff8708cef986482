"""`agent-conformance audit` through its door: options, formats, exit codes."""

import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from conformance.cli import run
from conformance.verdict import json_schema
from contracts.rule import files_of
from tests.contracts.test_planted import PLANTED, REPAIRED
from tests.contracts.trees import write

CLEAN = {"shop/__init__.py": "", "shop/a.py": "from shop import b\n", "shop/b.py": ""}
DIRTY = {**CLEAN, "shop/c.py": "import shop.gone\n"}


def test_text_begins_with_places(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, DIRTY)
    assert run(["audit", "shop", "--out", "out"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("shop/c.py:1: SRC-01 MUST there is no module shop.gone; imported at the top level")
    assert "1 MUST violated: SRC-01." in said
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "audit.md", "junit.xml", "modules.md", "report.html", "report.md", "results.sarif", "verdict.json",
    ]  # fmt: skip


def test_json_is_the_verdict(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, DIRTY)
    assert run(["audit", ".", "--format", "json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    Draft202012Validator(json_schema()).validate(verdict)
    (finding,) = verdict["requirements"][0]["findings"]
    assert (finding["location"], finding["actual"]) == ("shop/c.py:1", "import shop.gone")
    assert verdict["command"] == "audit"
    assert {r["id"][:3] for r in verdict["requirements"]} == {"SRC", "TST"}


def test_sarif_points_into_the_tree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, DIRTY)
    run(["audit", ".", "--format", "sarif"])
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("shop/c.py", 1)


@pytest.mark.parametrize(
    ("files", "words", "code"),
    [
        (CLEAN, [], 0),
        (CLEAN, ["--strict"], 2),
        ({"a.py": "def public(x): pass\n"}, [], 0),
        ({"a.py": "def public(x): pass\n"}, ["--strict"], 1),
        (DIRTY, ["--only", "SRC-02"], 0),
        ({}, [], 2),
    ],
)
def test_exit_codes(files: dict[str, str], words: list[str], code: int, here: Path) -> None:
    assert run(["audit", str(write(here, files)), *words]) == code


def test_a_repaired_tree_passes_strictly(here: Path) -> None:
    assert run(["audit", str(write(here, REPAIRED)), "--strict"]) == 0


def test_the_report_for_a_lead_has_an_order_and_what_is_well(here: Path) -> None:
    write(here, PLANTED)
    run(["audit", ".", "--out", "out"])
    text = Path("out/audit.md").read_text()
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["Summary", "Recommended order of repair", "Violations of a MUST", "Violations of a SHOULD"]
    assert text.index("1. **SRC-15**") < text.index("2. **SRC-01**")
    assert "| `src/shop/second.py:1` | Registry is defined again; it belongs to shop.registry |" in text


def test_modules_have_a_status(here: Path) -> None:
    write(here, PLANTED)
    run(["audit", ".", "--out", "out"])
    rows = {line.split("|")[1].strip(" `"): line.split("|")[2].strip() for line in _table(Path("out/modules.md"))}
    assert rows["shop.deleted"] == "missing"
    assert rows["shop.old_mail"] == "deprecated"
    assert rows["shop.second"] == "duplicated"
    assert rows["shop.mail"] == "found"


def _table(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("| `")]


BAD_SETTINGS = {
    "an unknown key": ("identty = []\n", "contracts.toml: identty: unknown key; did you mean identity?"),
    "an unknown key in a table": (
        '[[deprecated]]\nname = "a"\nreplacment = "b"\n',
        "contracts.toml: [[deprecated]] replacment: unknown key; did you mean replacement?",
    ),
    "a wrong type": ("max_function_lines = 'ten'\n", "contracts.toml: max_function_lines: expected an integer"),
    "an unknown rule": (
        '[[ignore]]\nrule = "SRC-99"\nreason = "x"\n',
        "contracts.toml: [[ignore]] rule: there is no 'SRC-99'",
    ),
    "no reason": ('[[ignore]]\nrule = "SRC-01"\nreason = " "\n', "expected a text that is not empty for SRC-01"),
    "no TOML": ("[x\n", "contracts.toml: not a configuration"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_is_named(case: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, said = BAD_SETTINGS[case]
    write(here, {"contracts.toml": text})
    assert run(["audit", "."]) == 64
    assert said in capsys.readouterr().err


def test_settings_may_stand_in_the_project_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = '[tool.agent-conformance]\nper_user = ["Memory"]\n'
    write(here, {"pyproject.toml": project, "shop/a.py": "memory = Memory()\n"})
    assert run(["audit", "shop"]) == 1
    assert "shop/a.py:1: SRC-08 MUST one Memory for all users, at module level" in capsys.readouterr().out


def test_what_is_ignored_needs_a_reason_and_may_expire(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = '[[ignore]]\nrule = "{}"\nreason = "made at run time"\npath = "shop/c.py"\nexpires = {}\n'
    write(here, {**DIRTY, "contracts.toml": entry.format("SRC-01", "2999-01-01")})
    assert run(["audit", "."]) == 0
    write(here, {"contracts.toml": entry.format("SRC-01", "2001-01-01")})
    assert run(["audit", "."]) == 1
    assert "[[ignore]] SRC-01 in shop/c.py expired on 2001-01-01: made at run time" in capsys.readouterr().out
    write(here, {"contracts.toml": entry.format("SRC-15", "2999-01-01")})
    run(["audit", "."])
    assert "[[ignore]] SRC-15 in shop/c.py covers nothing: remove it" in capsys.readouterr().out


def test_a_baseline_holds_known_debt_and_tells_what_is_stale(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = '[[known]]\nrequirement = "SRC-01"\nreason = "issue 12"\npath = "shop/{}.py"\n'
    write(here, {**DIRTY, "known.toml": known.format("c")})
    assert run(["audit", ".", "--baseline", "known.toml"]) == 0
    write(here, {"shop/d.py": "import shop.gone\n"})
    assert run(["audit", ".", "--baseline", "known.toml"]) == 1
    said = capsys.readouterr().out
    assert "shop/d.py:1: SRC-01" in said
    assert "shop/c.py:1: SRC-01" not in said
    write(here, {"known.toml": known.format("d") + known.format("a")})
    Path("shop/c.py").unlink()
    assert run(["audit", ".", "--baseline", "known.toml", "--only", "SRC-01"]) == 1
    assert "STALE      known.toml:5: SRC-01: issue 12 (path 'shop/a.py' matches nothing" in capsys.readouterr().out


def test_a_baseline_is_written_and_filled_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, DIRTY)
    assert run(["audit", ".", "--write-baseline"]) == 1
    text = Path("baseline.toml").read_text()
    assert run(["audit", ".", "--baseline", "baseline.toml"]) == 64
    filled = text.replace('reason = ""', 'reason = "debt"').replace('owner = ""', 'owner = "us"')
    write(here, {"baseline.toml": filled.replace('expires = ""', "expires = 2999-01-31")})
    capsys.readouterr()
    assert run(["audit", ".", "--baseline", "baseline.toml"]) == 0
    assert "STALE" not in capsys.readouterr().out


def test_since_tells_only_what_a_change_brought(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {**DIRTY, ".gitattributes": "shop export-ignore\n"})
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    write(here, {"shop/c.py": "\n\nimport shop.gone\nimport shop.lost\n"})
    assert run(["audit", ".", "--since", "HEAD"]) == 1
    said = capsys.readouterr().out
    assert "shop/c.py:4: SRC-01 MUST there is no module shop.lost" in said
    assert "shop.gone" not in said.partition("\n")[0]
    assert run(["audit", ".", "--since", "no-such-revision"]) == 64
    assert "git knows no such revision" in capsys.readouterr().err


def test_a_configuration_is_proposed_and_can_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, files_of(SUGGESTIVE))
    assert run(["audit", ".", "--suggest"]) == 0
    proposal = capsys.readouterr().out
    assert 'symbol = "Registry"\nmodule = "shop.registry"' in proposal
    assert '# "Manager",  # get_manager in shop/getter.py' in proposal
    assert 'name = "shop.old"\nreplacement = "shop.registry"' in proposal
    assert 'environment = "shop.getter"' in proposal
    write(here, {"contracts.toml": proposal})
    assert run(["audit", ".", "--only", "SRC-04,SRC-03"]) == 1
    assert "SRC-04 MUST Registry is defined again" in capsys.readouterr().out


SUGGESTIVE = """
--- shop/__init__.py
--- shop/registry.py
class Registry: ...
--- shop/copy.py
class Registry: ...
--- shop/old.py
import warnings
from shop.registry import Registry
warnings.warn("use shop.registry", DeprecationWarning)
--- shop/getter.py
import os
_manager = None
LIMIT = os.environ["LIMIT"]
def get_manager():
    global _manager
    if _manager is None:
        _manager = Manager()
    return _manager
--- shop/user_a.py
from shop.registry import Registry
--- shop/user_b.py
from shop.copy import Registry
"""


def test_a_requirement_on_source_is_explained_with_its_repair(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["requirements", "SRC-06"]) == 0
    said = capsys.readouterr().out
    assert "How to repair it\n  Make the parameter required" in said
    assert "  def publish(event, run_id=None):  # wrong" in said
    assert "Good\n  --- shop/events.py" in said

"""The contract types, with the real `lint-imports`."""

import subprocess
import sys
from pathlib import Path

from tests.contracts.trees import write

TREE = {
    "shop/__init__.py": "from shop.registry import Registry\n",
    "shop/registry.py": "class Registry: ...\n",
    "shop/old_mail.py": "",
}
SETTINGS = """
[tool.importlinter]
root_package = "shop"
contract_types = [
    "no_dangling_imports: contracts.import_linter.NoDanglingImports",
    "single_source: contracts.import_linter.SingleSourceContract",
    "canonical_path: contracts.import_linter.CanonicalPath",
    "deprecated: contracts.import_linter.DeprecatedContract",
]

[[tool.importlinter.contracts]]
name = "Everything that is imported is there"
type = "no_dangling_imports"

[[tool.importlinter.contracts]]
name = "One registry"
type = "single_source"
symbols = ["shop.registry.Registry"]

[[tool.importlinter.contracts]]
name = "The registry is imported from where it is"
type = "canonical_path"
symbols = ["shop.registry.Registry"]

[[tool.importlinter.contracts]]
name = "No old mail"
type = "deprecated"
deprecated = ["shop.old_mail -> shop.mail"]
"""
BROKEN = {
    "shop/a.py": "from shop.gone import thing\n",
    "shop/b.py": "class Registry: ...\n",
    "shop/c.py": "from shop import Registry\n",
    "shop/d.py": "def later():\n    from shop import old_mail\n",
}
SAID = (
    "shop/a.py:1: there is no module shop.gone; imported at the top level",
    "shop/b.py:1: Registry is defined again; it belongs to shop.registry",
    "shop/c.py:1: Registry is imported from shop; its path is shop.registry",
    "shop/d.py:2: shop.old_mail is deprecated: use shop.mail",
)


def lint(folder: Path, files: dict[str, str]) -> tuple[int, str]:
    write(folder, {**TREE, **files, "pyproject.toml": SETTINGS})
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, " ".join(done.stdout.split())


def test_contracts_are_kept(tmp_path: Path) -> None:
    code, said = lint(tmp_path, {"shop/user.py": "from shop.registry import Registry\n"})
    assert code == 0, said
    assert "4 kept, 0 broken" in said


def test_a_broken_contract_names_the_place(tmp_path: Path) -> None:
    code, said = lint(tmp_path, BROKEN)
    assert code == 1
    assert "0 kept, 4 broken" in said
    assert [place for place in SAID if place not in said] == []

"""What is pinned can be installed by every Python that the project takes."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PINNED = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]


@pytest.mark.parametrize(("name", "version"), PINNED, ids=[name for name, _ in PINNED])
def test_no_pin_demands_a_newer_python_than_the_project(name: str, version: str) -> None:
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        pytest.skip("not installed on this system")
    assert installed.version == version
    assert "3.11.0" in SpecifierSet(str(installed.metadata.json.get("requires_python", "")))

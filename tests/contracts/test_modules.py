"""Which modules files are, wherever the audit begins."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from contracts.audit import Options, audit
from contracts.config import Config
from tests.contracts.trees import audited, found, write

GONE = "import shop.gone\nfrom shop import mail\n"
PACKAGE = {"shop/__init__.py": "", "shop/mail.py": "", "shop/parts/__init__.py": "", "shop/parts/one.py": GONE}


def under(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("files", "path", "place"),
    [
        (PACKAGE, ".", "shop/parts/one.py:1"),
        (PACKAGE, "shop", "shop/parts/one.py:1"),
        (PACKAGE, "shop/parts/../../shop", "shop/parts/one.py:1"),
        (under("src", PACKAGE), ".", "src/shop/parts/one.py:1"),
        (under("src", PACKAGE), "src", "src/shop/parts/one.py:1"),
        (under("src", PACKAGE), "src/shop", "src/shop/parts/one.py:1"),
        ({**under("libs/shop", PACKAGE), "libs/shop/pyproject.toml": ""}, ".", "libs/shop/shop/parts/one.py:1"),
        ({**under("libs/shop/src", PACKAGE), "libs/shop/setup.py": ""}, ".", "libs/shop/src/shop/parts/one.py:1"),
        ({**PACKAGE, "shop/parts/setup.py": "from ..mail import __doc__\n"}, ".", "shop/parts/one.py:1"),
        (under("deep/down", PACKAGE), ".", "deep/down/shop/parts/one.py:1"),
    ],
)
def test_a_missing_module_is_found_from_wherever(files: dict[str, str], path: str, place: str, here: Path) -> None:
    write(here, files)
    result = audit([Path(path)], Config(), Options(only=("SRC-01", "SRC-02"), processes=1))
    assert found(result) == {("SRC-01", place)}


def test_an_absolute_path_is_shown_as_it_was_given(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = write(tmp_path_factory.mktemp("elsewhere"), PACKAGE)
    result = audit([elsewhere], Config(), Options(only=("SRC-01",), processes=1))
    assert found(result) == {("SRC-01", f"{elsewhere}/shop/parts/one.py:1")}


def test_a_file_alone_is_not_held_against_what_was_not_read(here: Path) -> None:
    write(here, PACKAGE)
    result = audit([Path("shop/mail.py")], Config(), Options(only=("SRC-01",), processes=1))
    assert found(result) == set()


def test_a_namespace_may_have_parts_elsewhere_unless_it_is_first_party(here: Path) -> None:
    files = {"shop/mail.py": "", "shop/one.py": "import shop.gone\nimport shop.mail\n"}
    result = audited(write(here, files), "SRC-01")
    assert found(result) == set()
    assert [note.location for note in result.verdict.requirements[0].notes] == ["shop/one.py:1"]
    write(here, {"contracts.toml": 'first_party = ["shop"]\n'})
    assert found(audited(here, "SRC-01")) == {("SRC-01", "shop/one.py:1")}


def test_a_folder_that_is_named_like_a_library_hides_nothing(here: Path) -> None:
    files = {"shop/redis/__init__.py": "", "shop/redis/one.py": "import redis.asyncio\nimport logging.config\n"}
    assert found(audited(write(here, files), "SRC-01")) == set()


def test_a_star_hands_on_what_the_module_has(here: Path) -> None:
    files = {
        "shop/__init__.py": "from shop.orders import *\n",
        "shop/orders.py": "from shop.base import *\n",
        "shop/base.py": "Base = 1\n",
        "shop/open.py": "from elsewhere import *\n",
        "shop/user.py": "from shop import Base, Gone\nfrom shop.open import Anything\n",
    }
    assert found(audited(write(here, files), "SRC-02")) == {("SRC-02", "shop/user.py:1")}


def test_what_a_test_expects_to_fail_is_no_finding(here: Path) -> None:
    test = "import pytest\ndef test_gone():\n    with pytest.raises(ImportError):\n        import shop.gone\n"
    files = {**PACKAGE, "shop/parts/one.py": "", "tests/test_gone.py": test}
    assert found(audited(write(here, files), "SRC-01")) == set()

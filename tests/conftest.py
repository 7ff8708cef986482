"""What many tests need: a folder, a clean environment, targets."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("short", max_examples=10, derandomize=True, deadline=None, database=None)
settings.register_profile("long", max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("short")

pytest_plugins = ["pytester"]

FOREIGN = Path(__file__).parent / "foreign_engine" / "target.toml"
SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def foreign_target(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The target file of the engine that knows nothing of the kit, and its secret in the environment."""
    monkeypatch.setenv("JWT_SECRET", SECRET)
    return FOREIGN

"""The reference engine with a rare defect, as a target."""

import shlex
import sys
from pathlib import Path

from conformance.target import AuthTable, LoadTable, Target, TargetTable

ROOT = Path(__file__).parents[2]
SECRET_ENV, SECRET = "RARE_SECRET", "a-secret-of-enough-bytes-for-the-tests"


def rare(defect: str, share: float, *, load: LoadTable | None = None) -> Target:
    """Return it: `share` is that of the events that are mishandled."""
    return Target(
        target=TargetTable(
            name=f"reference engine that {defect} {share:.3%} of its events",
            url="ws://127.0.0.1:{port}/ws",
            command=_command(defect, share),
            health="http://127.0.0.1:{port}/ready",
        ),
        auth=AuthTable(scheme="jwt-hs256", secret_env=SECRET_ENV),
        load=load or LoadTable(),
    )


def target_file(path: Path, defect: str, share: float, *, load: str = "") -> Path:
    """Write it as a target file, with this below `[load]`; return its path."""
    path.write_text(
        f"""
[target]
name = "reference engine that {defect} {share:.3%} of its events"
url = "ws://127.0.0.1:{{port}}/ws"
command = "env PYTHONPATH={ROOT} {_command(defect, share)}"
health = "http://127.0.0.1:{{port}}/ready"
[auth]
scheme = "jwt-hs256"
secret_env = "{SECRET_ENV}"
[load]
{load}
"""
    )
    return path


def _command(defect: str, share: float) -> str:
    words = [sys.executable, "-m", "tests.load.rare_engine", defect, str(share), "--port", "{port}"]
    return shlex.join([*words, "--secret-env", SECRET_ENV])

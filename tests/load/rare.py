"""The reference engine with a rare defect, as a target."""

import shlex
import sys

from conformance.target import AuthTable, LoadTable, Target, TargetTable

SECRET_ENV, SECRET = "RARE_SECRET", "a-secret-of-enough-bytes-for-the-tests"


def rare(defect: str, share: float, *, load: LoadTable | None = None) -> Target:
    """Return it: `share` is that of the events that are mishandled."""
    words = [sys.executable, "-m", "tests.load.rare_engine", defect, str(share), "--port", "{port}"]
    return Target(
        target=TargetTable(
            name=f"reference engine that {defect} {share:.3%} of its events",
            url="ws://127.0.0.1:{port}/ws",
            command=shlex.join([*words, "--secret-env", SECRET_ENV]),
            health="http://127.0.0.1:{port}/ready",
        ),
        auth=AuthTable(scheme="jwt-hs256", secret_env=SECRET_ENV),
        load=load or LoadTable(),
    )

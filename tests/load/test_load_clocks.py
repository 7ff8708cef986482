"""A target whose clock is wrong: its events are as late as they are, once the clock is known."""

import sys
from pathlib import Path

import pytest

from tests.debian import program
from tests.load.rare import SECRET
from tests.load.test_load_command import loaded

AHEAD_MS = 2_500.0


def test_a_clock_that_is_ahead_is_corrected_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCK_SECRET", SECRET)
    shifted = f"{program('faketime', 'faketime')} --exclude-monotonic -f +{AHEAD_MS / 1000}s {sys.executable}"
    target = tmp_path / "target.toml"
    target.write_text(
        f"""
[target]
url = "ws://127.0.0.1:{{port}}/ws"
command = "{shifted} -m reference_impl --port {{port}} --secret-env CLOCK_SECRET"
health = "http://127.0.0.1:{{port}}/ready"
[auth]
scheme = "jwt-hs256"
secret_env = "CLOCK_SECRET"
[bounds]
same_clock = false
[load]
think_s = 0.2
mix = {{ chat = 1, reconnect = 1 }}
"""
    )
    _, verdict = loaded(tmp_path, "--target", str(target), "--users", "20", "--spawn-rate", "20", "--duration", "3s")
    told = {each["name"]: each["value"] for each in verdict["measurements"]}
    assert told["target's clock known to within"] <= 50
    assert abs(told["target's clock ahead by"] - AHEAD_MS) <= told["target's clock known to within"]
    delivery = next(each for each in verdict["objectives"] if each["name"] == "p95_ms")
    assert delivery["verdict"] != "violated"
    assert delivery["samples"] > 0
    assert 0 <= delivery["value"] < AHEAD_MS

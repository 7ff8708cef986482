"""Shell completion, as the documentation sets it up, and the help of each command."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from conformance.cli import cli

BIN = Path(sys.executable).parent
PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "shell-completion.md"
EXPECTED = {"ver": "verify", "verify --prof": "--profile", "verify --profile ": "full"}


def completed(shell: str, **words: str) -> str:
    environment = {**os.environ, "_AGENT_CONFORMANCE_COMPLETE": shell, **words}
    done = subprocess.run([BIN / "agent-conformance"], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("typed", EXPECTED)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, typed: str) -> None:
    words = typed.split(" ")
    word = words[-1] if shell == "fish" else str(len(words))
    offered = completed(f"{shell}_complete", COMP_WORDS=f"agent-conformance {typed}", COMP_CWORD=word)
    assert EXPECTED[typed] in offered.replace(",", "\n").replace("\t", "\n").splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_is_set_up_as_documented(shell: str) -> None:
    assert f"_AGENT_CONFORMANCE_COMPLETE={shell}_source agent-conformance" in PAGE.read_text()
    script = completed(f"{shell}_source")
    assert f"_AGENT_CONFORMANCE_COMPLETE={shell}_complete" in script
    if shell == "bash":
        subprocess.run(["bash", "-nc", script], check=True)


def test_each_command_has_help_with_examples() -> None:
    context = click.Context(cli, info_name="agent-conformance")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert f"agent-conformance {name}" in (command.help or ""), name

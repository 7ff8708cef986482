"""The page on the command line: each command with what its `--help` says."""

import click

from conformance.cli import cli
from docs.generate.markdown import code

_HEAD = """# Command line

Made from what each command says of itself. Exit codes: 0 no MUST is violated; 1 one is (with `--strict` a SHOULD, too);
2 nothing is violated, but nothing could be decided either (with `--strict`: a MUST that applies could not be); 64 wrong
usage; 69 the target cannot be reached; 70 the kit itself failed; 130 interrupted.

"""
_WIDTH = 96


def page() -> str:
    """Return the page."""
    context = click.Context(cli, info_name="agent-conformance")
    parts = [_HEAD]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, max_content_width=_WIDTH, terminal_width=_WIDTH)
        parts.append(f"## {name}\n\n{code(command.get_help(inner))}\n")
    return "".join(parts)

"""The command line. Each command lives in a file of its own and is imported only when it runs."""

import importlib
import sys
from collections.abc import Sequence

import click

from conformance import __version__
from conformance.errors import ConformanceError

_COMMANDS = {
    "verify": "Drive a target and judge it.",
    "check": "Judge recordings: histories of the kit, or frames as JSON Lines.",
    "load": "Load a target with many users, judge every event, and hold it to its objectives.",
    "audit": "Judge a source tree: nothing of it is imported or run.",
    "report": "Render a stored run again, or hold runs against others: the stability report.",
    "serve": "Run the reference engine, or one of its faulty variants.",
    "witness": "Run the model and tool witness alone, for a target started by hand.",
    "init": "Probe an endpoint and write a commented target.toml.",
    "requirements": "List the catalogue, or explain one requirement.",
}
_INTERRUPTED = 130
_USAGE = 64
_HARNESS = 70


class _Lazy(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        import logging

        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each write to a client that has gone
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from conformance.nearest import guess

            raise click.UsageError(f"there is no command {args[0]!r}; {guess(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 no MUST is violated, 1 one is, 2 undecided (with --strict), 64 wrong usage, "
    "69 target unreachable, 70 the kit failed.",
)
@click.version_option(__version__, prog_name="agent-conformance", message="%(prog)s %(version)s")
def cli() -> None:
    """Does your agent backend tell every user everything that their agent does, at once, and nobody else?

    \b
      agent-conformance verify --reference                  see it work on the reference engine
      agent-conformance verify --url ws://localhost:8000/ws --dialect five-events
      agent-conformance init ws://localhost:8000/ws         write a target file for your engine
      agent-conformance verify --target target.toml
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line; return the exit code. Errors go to stderr in one or a few plain sentences."""
    try:
        code = cli.main(arguments, prog_name="agent-conformance", standalone_mode=False, obj=arguments)
    except click.ClickException as error:
        error.show()
        return _USAGE
    except ConformanceError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception:
        import traceback

        click.echo(f"error: the kit itself failed; please report this:\n{traceback.format_exc()}", err=True)
        return _HARNESS
    return code if isinstance(code, int) else 0

"""`agent-conformance serve`: run the reference engine. Its options are the engine's own."""

import click


@click.command(
    "serve",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run the reference engine, or one of its faulty variants. `serve --help` tells the engine's own options.

    \b
      agent-conformance serve --port 8000
      agent-conformance serve --list-faults
      agent-conformance serve --fault broadcast
    """
    from reference_impl import server

    try:
        return server.main(list(arguments))
    except SystemExit as exit_:  # argparse ends a program itself
        return 64 if exit_.code == 2 else int(exit_.code or 0)

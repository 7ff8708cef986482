"""`agent-conformance witness`: run the model and tool witness alone, for a target started by hand."""

import click


@click.command("witness")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
@click.option("--only", type=click.Choice(["model", "tools"]), help="Only one of the two.")
def command(host: str, port: int, only: str | None) -> None:
    """Run a scripted model and tools for a target, and print each call that it makes.

    The model is OpenAI-compatible (Chat Completions and Responses), the tools are there as MCP and as plain HTTP. It
    prints the environment variables to start the target with, then a line for each call that has ended.

    \b
      agent-conformance witness
      agent-conformance witness --port 0 --only model
    """
    from conformance.witness import serve

    serve.run(say=click.echo, host=host, port=port, model=only != "tools", tools=only != "model")

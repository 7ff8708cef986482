"""`agent-conformance init`: probe an endpoint and write a commented target file."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from conformance.dialects import names
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.probe_http import Found


@click.command("init")
@click.argument("url")
@click.option(
    "--out",
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("target.toml"),
    show_default=True,
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@click.option("--secret-env", metavar="NAME", help="The variable that holds the target's HS256 secret.")
@click.option("--token-command", metavar="COMMAND", help="A command that prints a token for {user}.")
def command(url: str, file: Path, force: bool, secret_env: str | None, token_command: str | None) -> None:
    """Probe an endpoint, guess its dialect and authentication, and write a commented target.toml.

    \b
      agent-conformance init ws://127.0.0.1:8000/ws
      agent-conformance init http://127.0.0.1:8000 --secret-env JWT_SECRET
      agent-conformance init http://127.0.0.1:8000/agui --out staging.toml

    Without a path it also looks where such endpoints usually are, and at those that openapi.json names: it asks each
    for a run ("Say hello.").
    """
    from conformance.auth import Command, Jwt, NoAuth, secret_from
    from conformance.probe import probe

    if file.exists() and not force:
        raise UsageError(f"{file} exists; say --force to replace it, or --out FILE for another name")
    auth = (
        Jwt(secret_from(secret_env))
        if secret_env
        else Command(token_command, Path.cwd())
        if token_command
        else NoAuth()
    )
    found = asyncio.run(probe(url, auth))
    text = render(found, secret_env=secret_env, token_command=token_command)
    try:
        file.write_text(text)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
    click.echo(f"{found.url}:")
    for note in found.notes:
        click.echo(f"  {note}")
    click.echo(f"written: {file}")
    click.echo(_next(found, file, credentials=bool(secret_env or token_command)))


def _next(found: "Found", file: Path, *, credentials: bool) -> str:
    """Say what to do next."""
    verify = f"agent-conformance verify --target {file}"
    if found.needs_credentials and not credentials:
        return (
            f"it needs credentials: fill in [auth], then: {verify}\n"
            "or let init try them: --secret-env NAME (the target's HS256 secret), --token-command COMMAND"
        )
    if found.dialect is None:
        return (
            "no dialect was recognised: set `dialect` in the file to one of "
            f'{", ".join(names())},\nor describe your own protocol in a mapping: dialect = "mine.toml"'
        )
    return f"next: {verify}"


def render(found: "Found", *, secret_env: str | None, token_command: str | None) -> str:
    """Return the text of a target file for what a probe found."""
    parts = urlsplit(found.url)
    name, with_port = parts.netloc, f"{parts.scheme}://127.0.0.1:{{port}}{parts.path}"
    web = "https" if parts.scheme in ("wss", "https") else "http"
    likely = "ag-ui" if parts.scheme.startswith("http") else "five-events"
    greeting = found.greeting
    lines = [
        "# How the kit reaches, starts and speaks to this target.",
        "[target]",
        f"name = {json.dumps(name)}",
        f"url = {json.dumps(found.url)}",
        f"dialect = {json.dumps(found.dialect or likely)}" + ("" if found.dialect else "   # not recognised"),
        "# Let the kit start and stop it; {port} is a free port:",
        f'# command = "python server.py --port {{port}}"      # with url = "{with_port}"',
        '# app = "mypkg.main:app"                           # or an ASGI app',
        f'# health = "{web}://127.0.0.1:{{port}}{found.health or "/health"}"',
    ]
    if greeting is not None and greeting.capabilities is not None:
        lines.append(f"# it announces: {', '.join(greeting.capabilities) or 'nothing'}; to say otherwise:")
    else:
        lines.append("# What it can do, where it does not announce that itself:")
    lines += ['# capabilities = ["resume", "stop", "threads", "multi_connection", "text_stream"]', "", "[auth]"]
    lines += _auth(found, secret_env, token_command)
    lines += [
        "",
        "# Where the model is not scripted: what to say to get a behaviour. {canary} is the message's canary.",
        "# [say]",
        '# chat = "Say hello and repeat {canary}."',
        '# tool = "What is the weather in Paris? {canary}"',
        "",
        "[bounds]",
        *_bound("run_limit_s", greeting.run_limit_s if greeting else None, "30", "after how many seconds a run ends"),
        *_bound("message_bytes", greeting.message_bytes if greeting else None, "65536", "the largest message it takes"),
        *_bound("heartbeat_s", greeting.heartbeat_s if greeting else None, "25", "how often it shows life"),
        "# delivery_p95_ms = 500",
        "# delivered = 0.999",
        "# factor = 3            # scales every time bound, for a slow machine",
        "",
    ]
    return "\n".join(lines)


def _auth(found: "Found", secret_env: str | None, token_command: str | None) -> list[str]:
    if secret_env:
        return ['scheme = "jwt-hs256"', f"secret_env = {json.dumps(secret_env)}"]
    if token_command:
        return ['scheme = "command"', f"command = {json.dumps(token_command)}"]
    if not found.needs_credentials:
        return ['scheme = "none"   # it lets in anybody']
    return [
        "# it refuses who shows no credentials; one of:",
        '# scheme = "jwt-hs256"          # the kit mints tokens with the target\'s secret: sub is the user',
        '# secret_env = "JWT_SECRET"',
        '# scheme = "tokens"             # a TOML file of user = "token"',
        '# tokens = "tokens.toml"',
        '# scheme = "command"            # a command that prints a token for a user',
        '# command = "mint {user}"',
        'scheme = "none"',
    ]


def _bound(key: str, value: float | None, example: str, meaning: str) -> list[str]:
    if value is not None:
        return [f"# {key} = {value:g}   # {meaning}, as it announces itself"]
    return [f"# {key} = {example}   # {meaning}"]

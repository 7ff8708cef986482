"""The options by which a target is chosen, shared by the commands that drive one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from conformance.errors import UsageError
from conformance.target import Target, check, read

F = TypeVar("F", bound=Callable[..., Any])
_TARGET_KEYS = ("url", "dialect", "command", "app", "health")


def target_options(function: F) -> F:
    """Add the options that choose a target to a command."""
    for option in reversed(
        [
            click.option("--target", "file", type=click.Path(path_type=Path), help="A target file; see `init`."),
            click.option("--url", help="Where a running target listens, e.g. ws://127.0.0.1:8000/ws."),
            click.option("--dialect", help="A name, or a mapping FILE.toml (default: five-events)."),
            click.option("--app", metavar="MODULE:ATTR", help="An ASGI app, served by the kit on a free port."),
            click.option("--command", help="A command that starts the target; {port} is a free port, {data} a folder."),
            click.option("--health", help="A URL that answers 2xx when the started target is ready."),
            click.option("--reference", is_flag=True, help="The reference engine, started by the kit."),
            click.option("--fault", metavar="NAME", help="With --reference: one of its faulty variants."),
            click.option("--odd", metavar="NAME", help="With --reference: one of its odd, but legal variants."),
            click.option(
                "--witness", is_flag=True, help="With --reference: the kit's model and tools, as ground truth."
            ),
            click.option(
                "--auth", type=click.Choice(["none", "tokens", "jwt-hs256", "command"]), help="How users authenticate."
            ),
            click.option("--secret-env", metavar="NAME", help="jwt-hs256: the variable that holds the secret."),
            click.option("--tokens", metavar="FILE", help='tokens: a TOML file of user = "token".'),
            click.option("--token-command", metavar="COMMAND", help="command: prints a token for {user}."),
            click.option(
                "--capability", "capabilities", multiple=True, help="What the target can do; may be repeated."
            ),
            click.option(
                "--factor", type=click.FloatRange(min=0, min_open=True), help="Scale every time bound, e.g. 3."
            ),
        ]
    ):
        function = option(function)
    return function


def chosen_target(options: dict[str, Any]) -> Target:
    """Return the target that the options name; takes them out of `options`. Raises `UsageError`."""
    given = {name: options.pop(name) for name in (*_OPTIONS, "capabilities", "factor")}
    if given["reference"]:
        return _scaled(_reference(given), given["factor"])
    for name in ("fault", "odd", "witness"):
        if given[name]:
            raise UsageError(f"--{name}: only with --reference")
    target = read(given["file"]) if given["file"] else Target()
    if not given["file"] and not given["url"] and not given["app"]:
        raise UsageError("no target: say --target FILE, --url URL, --app MODULE:ATTR or --reference")
    table = {key: given[key] for key in _TARGET_KEYS if given[key] is not None}
    if given["app"] and not given["url"] and not target.target.url:
        table["url"] = _app_url(given["dialect"] or target.target.dialect)
    if given["capabilities"]:
        table["capabilities"] = tuple(given["capabilities"])
    auth = {
        key: given[option]
        for key, option in (
            ("scheme", "auth"),
            ("secret_env", "secret_env"),
            ("tokens", "tokens"),
            ("command", "token_command"),
        )
        if given[option] is not None
    }
    if "scheme" not in auth and target.auth.scheme == "none":
        implied = {"secret_env": "jwt-hs256", "tokens": "tokens", "command": "command"}
        named = next((key for key in auth if key in implied), None)
        if named is not None:
            auth["scheme"] = implied[named]
    target = msgspec.structs.replace(
        target,
        target=msgspec.structs.replace(target.target, **table) if table else target.target,
        auth=msgspec.structs.replace(target.auth, **auth) if auth else target.auth,
    )
    check(target, str(given["file"] or "command line"))
    return _scaled(target, given["factor"])


_OPTIONS = (
    "file",
    "url",
    "dialect",
    "app",
    "command",
    "health",
    "reference",
    "fault",
    "odd",
    "witness",
    "auth",
    "secret_env",
    "tokens",
    "token_command",
)


def _app_url(dialect: str) -> str:
    """Return where an ASGI app is reached that does not say so."""
    from conformance.dialects import named

    return "http://127.0.0.1:{port}/" if named(dialect).transport == "http" else "ws://127.0.0.1:{port}/ws"


def _reference(given: dict[str, Any]) -> Target:
    from conformance.runner import reference

    for name in ("file", "url", "app", "command"):
        if given[name]:
            option = "target" if name == "file" else name
            raise UsageError(f"--reference and --{option}: expected one of them, found both")
    dialect = given["dialect"] or "five-events"
    return reference(fault=given["fault"], odd=given["odd"], dialect=dialect, witness=given["witness"])


def _scaled(target: Target, factor: float | None) -> Target:
    if factor is None:
        return target
    return msgspec.structs.replace(target, bounds=msgspec.structs.replace(target.bounds, factor=factor))

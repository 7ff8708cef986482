"""Credentials: how the kit's users show who they are."""

import asyncio
import os
import shlex
import time
import tomllib
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import Any

import jwt

from conformance.errors import TargetUnreachable, UsageError
from conformance.history.operations import Credentials

_LIFETIME_S = 3600


class Auth(ABC):
    """How users authenticate. `granted` are the capabilities that this gives to the kit."""

    granted: frozenset[str] = frozenset()
    scheme: str

    @property
    def users(self) -> int | None:
        """How many users there are; None where there is no limit."""
        return None

    def new_user(self, random: Random) -> str:
        """Return the name of a fresh user; raises `UsageError` where there are no more."""
        return f"user-{random.getrandbits(64):016x}"

    @abstractmethod
    async def token(self, user: str) -> str | None:
        """Return a good token for a user, None where none is needed."""

    async def bad_token(self, kind: Credentials, user: str) -> str | None:
        """Return a token that must be refused, None where this scheme cannot make one of that kind."""
        return "not-a-token" if kind is Credentials.GARBAGE else None

    async def short_lived(self, user: str, seconds: float) -> str | None:
        """Return a token that expires in so many seconds, None where this scheme cannot."""
        return None


class NoAuth(Auth):
    """No credentials at all: users differ by their connections only."""

    scheme = "none"
    granted = frozenset({"anonymous"})

    async def token(self, user: str) -> str | None:
        """Return None."""
        return None

    async def bad_token(self, kind: Credentials, user: str) -> str | None:
        """Return None: nothing is refused."""
        return None


class Jwt(Auth):
    """HS256 tokens, minted with the target's own secret: `sub` is the user."""

    scheme = "jwt-hs256"
    granted = frozenset({"jwt"})

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def token(self, user: str) -> str | None:
        """Return a token that is good for an hour."""
        return self._mint(user, _LIFETIME_S)

    def _mint(self, user: str, lifetime_s: float, *, key: str | None = None, algorithm: str = "HS256") -> str:
        now = time.time()
        claims = {"sub": user, "iat": int(now) - 1, "exp": now + lifetime_s}
        return jwt.encode(claims, self._secret if key is None else key, algorithm=algorithm)

    async def bad_token(self, kind: Credentials, user: str) -> str | None:
        """Return an expired, forged, unsigned or garbage token."""
        match kind:
            case Credentials.EXPIRED:
                return self._mint(user, -60)
            case Credentials.FORGED:
                return self._mint(user, _LIFETIME_S, key="not-the-secret-" * 4)
            case Credentials.UNSIGNED:
                return self._mint(user, _LIFETIME_S, key="", algorithm="none")
            case _:
                return await super().bad_token(kind, user)

    async def short_lived(self, user: str, seconds: float) -> str | None:
        """Return a token that expires soon."""
        return self._mint(user, seconds)


class TokenFile(Auth):
    """Tokens that the target's owner made: a TOML table user -> token."""

    scheme = "tokens"

    def __init__(self, path: Path) -> None:
        try:
            table: dict[str, Any] = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f'{path}: expected a TOML table of user = "token": {error}') from error
        tokens = table.get("tokens", table)
        if not tokens or not all(isinstance(token, str) and token for token in tokens.values()):
            raise UsageError(f'{path}: expected lines of user = "token", one for each user')
        self._tokens: dict[str, str] = tokens
        self._next = 0

    def new_user(self, random: Random) -> str:
        """Return the next user of the file, from the first again after the last."""
        users = list(self._tokens)
        self._next += 1
        return users[(self._next - 1) % len(users)]

    @property
    def users(self) -> int | None:
        """How many users the file has."""
        return len(self._tokens)

    async def token(self, user: str) -> str | None:
        """Return the user's token."""
        return self._tokens[user]


class Command(Auth):
    """A command that prints a token for a user: `{user}` stands for the name."""

    scheme = "command"

    def __init__(self, command: str, directory: Path) -> None:
        self._words = shlex.split(command)
        self._directory = directory
        self._tokens: dict[str, str] = {}

    async def token(self, user: str) -> str | None:
        """Run the command once for each user and return what it prints."""
        if user not in self._tokens:
            words = [word.replace("{user}", user) for word in self._words]
            try:
                process = await asyncio.create_subprocess_exec(
                    *words, cwd=self._directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
                )
            except OSError as error:
                raise UsageError(f"[auth] command: cannot run {words[0]}: {error.strerror}") from error
            out, err = await process.communicate()
            token = out.decode().strip()
            if process.returncode or not token:
                raise TargetUnreachable(
                    f"[auth] command: {shlex.join(words)} exited with {process.returncode} and printed "
                    f"{'no token' if not token else 'a token'}: {err.decode().strip()[-300:]}"
                )
            self._tokens[user] = token
        return self._tokens[user]


def secret_from(variable: str) -> str:
    """Return the secret in an environment variable; raise `UsageError` where it is not set."""
    secret = os.environ.get(variable, "")
    if not secret:
        raise UsageError(f"[auth] secret_env: the environment variable {variable} is not set")
    return secret

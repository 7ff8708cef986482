"""What every backend of the suite has beside its framework: tools of the kit's witness, and users with tokens."""

import os
from typing import Annotated

import httpx
import jwt
from fastapi import Header, HTTPException

SECRET = os.environ["INTEROP_SECRET"]
_TOOLS = os.environ["CONFORMANCE_TOOLS_URL"]
_http = httpx.AsyncClient(timeout=None, trust_env=False, limits=httpx.Limits(max_connections=None))


async def run_tool(
    name: str,
    arguments: dict[str, object],
    *,
    user: str | None,
    thread: str | None,
    run: str | None = None,
    call: str | None = None,
) -> str:
    """Run a tool of the witness, and say for whom. Raises `RuntimeError` with the tool's own words where it fails."""
    told = {"X-User-Id": user, "X-Thread-Id": thread, "X-Run-Id": run, "X-Tool-Call-Id": call}
    headers = {header: value for header, value in told.items() if value is not None}
    answer = (await _http.post(f"{_TOOLS}/{name}", json=arguments, headers=headers)).json()
    if "error" in answer:
        raise RuntimeError(answer["error"]["message"])
    return str(answer["result"])


def authenticated(authorization: Annotated[str | None, Header()] = None) -> str:
    """Return the user that a bearer token names; answers 401 where there is none to believe."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise jwt.InvalidTokenError("no bearer token")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        raise HTTPException(401, "credentials are missing or not valid") from None
    return str(claims["sub"])

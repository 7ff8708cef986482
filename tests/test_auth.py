"""Credentials of each scheme."""

import sys
from pathlib import Path
from random import Random

import jwt
import pytest

from conformance.auth import Command, Jwt, NoAuth, TokenFile
from conformance.errors import TargetUnreachable, UsageError
from conformance.history.operations import Credentials

SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"


async def test_jwt_names_the_user_and_expires() -> None:
    token = await Jwt(SECRET).token("ann")
    assert token is not None
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["sub"] == "ann"
    assert claims["exp"] > claims["iat"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Credentials.EXPIRED, jwt.ExpiredSignatureError),
        (Credentials.FORGED, jwt.InvalidSignatureError),
        (Credentials.UNSIGNED, jwt.InvalidAlgorithmError),
        (Credentials.GARBAGE, jwt.DecodeError),
    ],
)
async def test_bad_tokens_are_bad_in_their_own_way(kind: Credentials, error: type[Exception]) -> None:
    token = await Jwt(SECRET).bad_token(kind, "ann")
    assert token is not None
    with pytest.raises(error):
        jwt.decode(token, SECRET, algorithms=["HS256"])


async def test_no_auth_has_nothing_to_show() -> None:
    assert await NoAuth().token("ann") is None
    assert await NoAuth().bad_token(Credentials.GARBAGE, "ann") is None


async def test_a_token_file_gives_its_users_in_turn(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text('ann = "a-token"\nbob = "b-token"\n')
    auth = TokenFile(file)
    users = [auth.new_user(Random(0)) for _ in range(3)]
    assert users == ["ann", "bob", "ann"]
    assert auth.users == 2
    assert await auth.token("bob") == "b-token"


@pytest.mark.parametrize("text", ["", "ann = 7", "not toml at all", 'ann = ""'])
def test_a_bad_token_file_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"tokens\.toml: expected"):
        TokenFile(file)


async def test_a_command_is_run_once_for_each_user(tmp_path: Path) -> None:
    script = "import sys, pathlib; pathlib.Path('calls').open('a').write('x'); print('token-of', sys.argv[1])"
    auth = Command(f'{sys.executable} -c "{script}" {{user}}', tmp_path)
    assert await auth.token("ann") == "token-of ann"
    assert await auth.token("ann") == "token-of ann"
    assert await auth.token("bob") == "token-of bob"
    assert (tmp_path / "calls").read_text() == "xx"


async def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(TargetUnreachable, match=r"exited with 1 and printed no token(.|\n)*no vault"):
        await Command(f"{sys.executable} -c \"raise SystemExit('no vault')\"", tmp_path).token("ann")
    with pytest.raises(UsageError, match="cannot run /no/such"):
        await Command("/no/such {user}", tmp_path).token("ann")

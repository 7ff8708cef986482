"""Who is connecting: JSON Web Tokens from a header or a subprotocol (WIRE.md, Connect)."""

import base64
import binascii
import time
import warnings
from collections.abc import Sequence

import jwt
import msgspec
from jwt.warnings import InsecureKeyLengthWarning
from starlette.datastructures import Headers

from reference_impl.context import UserId, require_id
from reference_impl.errors import InvalidCredentials, InvalidIdentity

ALGORITHMS = ("HS256", "HS384", "HS512")
SUBPROTOCOL = "jwt-auth"
TOKEN_PREFIX = "jwt."


class Identity(msgspec.Struct, frozen=True):
    """An authenticated user, and when that ends (seconds since the epoch)."""

    user_id: UserId
    expires_at: float


class Authenticator:
    """Verifies tokens with one shared secret. Keeps, returns and logs none (ACC-05)."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def authenticate(self, headers: Headers, subprotocols: Sequence[str] = ()) -> Identity:
        """The identity behind a request. Raises InvalidCredentials, whose message holds nothing of the token."""
        token = self._token(headers, subprotocols)
        try:
            with warnings.catch_warnings():
                # The length of the secret is the operator's business, reported at start, not at each connect.
                warnings.simplefilter("ignore", InsecureKeyLengthWarning)
                claims = jwt.decode(
                    token,
                    self._secret,
                    algorithms=ALGORITHMS,
                    options={"require": ["exp", "sub"], "verify_aud": False},
                )
            return Identity(UserId(require_id(claims["sub"], "sub")), float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise InvalidCredentials("The token has expired: get a new one.") from None
        except InvalidIdentity as error:
            raise InvalidCredentials(f"The token names no user: {error}") from None
        except (jwt.PyJWTError, ValueError, OverflowError):
            expected = ", ".join(ALGORITHMS)
            raise InvalidCredentials(f"The token is not valid: expected a JWT ({expected}) with sub and exp.") from None

    def _token(self, headers: Headers, subprotocols: Sequence[str]) -> str:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not token.strip():
                raise InvalidCredentials("The Authorization header is not of the form: Bearer <JWT>.")
            return token.strip()
        encoded = [name.removeprefix(TOKEN_PREFIX) for name in subprotocols if name.startswith(TOKEN_PREFIX)]
        if SUBPROTOCOL in subprotocols and len(encoded) == 1:
            try:
                return base64.urlsafe_b64decode(encoded[0] + "=" * (-len(encoded[0]) % 4)).decode("ascii")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                raise InvalidCredentials("The subprotocol jwt.<...> is not base64url of a JWT.") from None
        raise InvalidCredentials(
            "No credentials: send Authorization: Bearer <JWT>, or the subprotocols jwt-auth and jwt.<base64url(JWT)>."
        )


def mint_token(secret: str, user_id: str, *, lifetime_s: float) -> str:
    """A token for `user_id` that expires after `lifetime_s` seconds (HS256)."""
    now = time.time()
    return jwt.encode({"sub": user_id, "iat": int(now), "exp": int(now + lifetime_s)}, secret, algorithm="HS256")


def origin_allowed(headers: Headers, allowed: frozenset[str]) -> bool:
    """Whether a browser on this page may connect: same host, or listed, or no browser at all (ACC-07)."""
    origin = headers.get("origin")
    if origin is None or origin in allowed:
        return True
    scheme, separator, host = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and host.lower() == headers.get("host", "").lower()

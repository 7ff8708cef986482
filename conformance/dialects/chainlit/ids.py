"""Ids that Chainlit lets the client choose: UUIDs of version 4, so a request's id is written as one."""

import re
from hashlib import sha256
from typing import Any
from uuid import UUID

_REQUEST = re.compile(r"req-([0-9a-f]{24})")
_MARK = "c1a1c1"
_MESSAGE = re.compile(rf"([0-9a-f]{{8}})-([0-9a-f]{{4}})-4([0-9a-f]{{3}})-8([0-9a-f]{{3}})-([0-9a-f]{{6}}){_MARK}")


def message_id(request_id: str) -> str:
    """Return the id of the message that puts a request; `request_id_of` undoes it for ids of the kit's own form."""
    own = _REQUEST.fullmatch(request_id)
    if own is None:
        return made_up(request_id)
    h = own[1]
    return f"{h[:8]}-{h[8:12]}-4{h[12:15]}-8{h[15:18]}-{h[18:]}{_MARK}"


def request_id_of(identifier: Any) -> str | None:
    """Return the request that a message put; None where that cannot be told."""
    own = _MESSAGE.fullmatch(identifier) if isinstance(identifier, str) else None
    return f"req-{''.join(own.groups())}" if own is not None else None


def made_up(text: str) -> str:
    """Return a UUID that is always the same for the same text."""
    return str(UUID(bytes=sha256(text.encode()).digest()[:16], version=4))

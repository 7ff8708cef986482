"""A2A as before release 1.0: the requests of 0.3, which servers of 0.2 understand as well."""

from typing import Any

from conformance.dialects.a2a import A2a


class A2aV03(A2a):
    """The dialect `a2a-v03`."""

    name = "a2a-v03"
    _stream, _cancel = "message/stream", "tasks/cancel"
    _headers = ()

    def _said(self, text: str) -> dict[str, Any]:
        return {"kind": "message", "role": "user", "parts": [{"kind": "text", "text": text}]}


DIALECT = A2aV03()

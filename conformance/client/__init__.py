"""The kit's client: one user's access to the target, every operation of which is recorded.

A client only does what it is told and waits for what comes. What it sees is judged elsewhere, from the history.
"""

from conformance.client.client import Client
from conformance.client.run import Run
from conformance.client.wire import Wire

__all__ = ["Client", "Run", "Wire"]

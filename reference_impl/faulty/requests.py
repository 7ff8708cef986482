"""Faults in how requests are answered."""

import traceback

import msgspec

from reference_impl.context import UserExecutionContext, UserId, new_id
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import ErrorCode, Refusal
from reference_impl.faulty.fault import fault
from reference_impl.journal import Journal
from reference_impl.messages import ClientMessage, StartAgent
from reference_impl.model import Conversation
from reference_impl.run import AcceptOutcome, NewRun
from reference_impl.session import ClientSession


@fault(
    "stop-ignored",
    "A stop request does nothing; the run goes on.",
    stands_for="A stop that sets a flag which nobody looks at while a tool runs.",
    breaks=("LIF-02",),
)
class StopIgnored(ExecutionEngine):
    """Cannot be stopped."""

    async def stop(self, user_id: UserId, run_id: str) -> None:
        """Take note."""


@fault(
    "no-deduplication",
    "A request that is sent again is run again.",
    stands_for="A request id that is passed through and stored, and never looked up.",
    breaks=("LIF-01",),
)
class NoDeduplication(Journal):
    """Takes every request for a new one."""

    async def accept(
        self, run: NewRun, *, may_insert: bool, thread_must_exist: bool, owns_thread: bool = False
    ) -> tuple[AcceptOutcome, NewRun]:
        """Record an accepted run, under a request id that no other has."""
        context = msgspec.structs.replace(run.context, request_id=new_id())
        unique = NewRun(context, run.message)
        outcome, _ = await super().accept(
            unique, may_insert=may_insert, thread_must_exist=thread_must_exist, owns_thread=owns_thread
        )
        return outcome, run


@fault(
    "forgetful-thread",
    "The agent remembers nothing of the earlier messages of its thread.",
    stands_for="Memory on an object that is made anew for each run.",
    breaks=("LIF-12",),
)
class ForgetfulThread(Conversation):
    """Lives in the moment."""

    async def earlier(self, context: UserExecutionContext) -> list[str]:
        """No messages."""
        return []


@fault(
    "unknown-type-ignored",
    "A message of an unknown type is not answered.",
    stands_for="A dispatch table with a default that does nothing.",
    breaks=("LIF-09",),
)
class UnknownTypeIgnored(ClientSession):
    """Does not answer what it does not understand."""

    async def _take(self, text: str | None, data: bytes | None) -> None:
        try:
            await super()._take(text, data)
        except Refusal as refusal:
            if refusal.code is not ErrorCode.UNKNOWN_TYPE:
                raise


@fault(
    "stack-trace-shown",
    "Errors about malformed messages show a stack trace with the paths of the engine's source.",
    stands_for="A debug mode, or an error handler that sends traceback.format_exc().",
    breaks=("SCH-06",),
)
class StackTraceShown(ClientSession):
    """Has nothing to hide."""

    async def _take(self, text: str | None, data: bytes | None) -> None:
        try:
            await super()._take(text, data)
        except Refusal as refusal:
            raise Refusal(refusal.code, traceback.format_exc(), request_id=refusal.request_id) from None


@fault(
    "oversize-crash",
    "A message that is too large crashes its connection's handler: it closes with 1011.",
    stands_for="A limit in the transport, whose exception nobody expects.",
    breaks=("LIF-10",),
)
class OversizeCrash(ClientSession):
    """Chokes on large messages."""

    async def _take(self, text: str | None, data: bytes | None) -> None:
        if len(text or "") > self._settings.max_message_bytes:
            raise MemoryError("a message that is too large")
        await super()._take(text, data)


@fault(
    "malformed-ignored",
    "A frame that is not well formed is not answered.",
    stands_for="except ValueError: continue, around the reading of messages.",
    breaks=("LIF-08",),
)
class MalformedIgnored(ClientSession):
    """Waits for something better."""

    async def _take(self, text: str | None, data: bytes | None) -> None:
        try:
            await super()._take(text, data)
        except Refusal as refusal:
            if refusal.code not in (ErrorCode.BAD_JSON, ErrorCode.BAD_MESSAGE):
                raise


@fault(
    "ten-runs-a-connection",
    "After ten runs a connection runs nothing more.",
    stands_for="A place in a fixed buffer, or a quota of the connection, that a run takes and does not give back.",
    breaks=("LIF-11",),
)
class TenRunsAConnection(ClientSession):
    """Has had enough."""

    _runs = 0

    async def handle(self, message: ClientMessage) -> None:
        """Do what `message` asks for, ten times."""
        if isinstance(message, StartAgent) and '"tool"' not in message.user_request:
            self._runs += 1
            if self._runs > 10:
                raise Refusal.rate_limited("This connection has had its ten runs.")
        await super().handle(message)

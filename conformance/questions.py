"""The questions of the kit's that are remembered, and which of them an answer answers."""

from conformance.events import Accepted, Refusal, RunEvent
from conformance.history.operations import Action, Asked
from conformance.recent import Recent
from conformance.story import Connection, Request

_REMEMBERED = 1_024
_UNANSWERED = 256


class Questions:
    """Questions by their number (`recent`), and by user and request id."""

    def __init__(self) -> None:
        self.recent: Recent[int, Request] = Recent(_REMEMBERED, _let_go)
        self._by_request_id: Recent[tuple[str, str], Request] = Recent(_REMEMBERED)

    def ask(self, op: Asked, line: int, connection: Connection) -> None:
        """Take in a question that is asked on a connection."""
        request = Request(op, line, connection)
        self.recent.add(op.ask, request)
        unanswered = connection.unanswered
        unanswered.append(request)
        if len(unanswered) > _UNANSWERED:
            del unanswered[: _UNANSWERED // 2]
        if request.runs and op.request_id:
            key = (op.user, op.request_id)
            if self._by_request_id.get(key) is None:
                self._by_request_id.add(key, request)

    def of(self, ask: int | None) -> Request | None:
        """Return the question of that number, if there is one and it is remembered."""
        return self.recent.get(ask) if ask is not None else None

    def named(self, user: str, request_id: str) -> Request | None:
        """Return a user's question of that request id, if it is remembered: the first one, where it was repeated."""
        return self._by_request_id.get((user, request_id))

    def of_exchange(self, connection: Connection) -> Request | None:
        """Return the question for a run that an HTTP exchange was made for; None on a WebSocket."""
        request = self.of(connection.op.ask)
        return request if request is not None and request.runs else None

    def accepted(self, connection: Connection, event: Accepted) -> Request | None:
        """Return the question that is taken on, and enter that it is."""
        waiting = [r for r in connection.unanswered if r.runs]
        if len(waiting) > 1:
            waiting = [r for r in waiting if r.asked.request_id == event.request_id] or waiting
        if not waiting:
            return None
        request = waiting[0]
        request.accepted = event
        connection.unanswered.remove(request)
        return request

    def refused(self, connection: Connection, event: Refusal, line: int) -> Request | None:
        """Return the question that is refused, and enter that it is.

        Where the refusal names none, it is one that may be refused; not found is what is another's, or over.
        """
        waiting = connection.unanswered
        named = [r for r in waiting if event.request_id is not None and r.asked.request_id == event.request_id]
        lost: list[Request] = []
        if event.code == "not_found":
            others = [r for r in waiting if r.asked.owner is not None]
            lost = others or [r for r in waiting if r.asked.action in (Action.STOP, Action.RESUME)]
        request = next(iter(named or lost or [r for r in waiting if r.may_be_refused] or waiting), None)
        if request is not None:
            request.refusal = event
            request.refused_line = line
            waiting.remove(request)
        return request

    def started_by(self, connection: Connection, event: RunEvent) -> Request | None:
        """Return the question of a run that starts before it was accepted: the one that it names, or the only one."""
        waiting = [r for r in connection.unanswered if r.runs and r.story is None]
        request_id = event.payload.request_id
        named = [r for r in waiting if r.asked.request_id == request_id]
        elsewhere = self.named(connection.op.user or "", request_id or "")
        if not named and elsewhere is not None:
            return elsewhere if elsewhere.story is None else None  # it was asked on another connection
        return (named or waiting)[0] if named or len(waiting) == 1 else None


def same_question(first: Request | None, request: Request) -> bool:
    """Tell whether a request is one of the same user asked again."""
    if first is None or first is request or not request.asked.request_id:
        return False
    return (first.asked.user, first.asked.request_id) == (request.asked.user, request.asked.request_id)


def _let_go(request: Request) -> None:
    """Part a forgotten question from its run, if that is over: each holds the other, else both would stay."""
    story = request.story
    if story is not None and story.settled and story.request is request:
        request.story = None

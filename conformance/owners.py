"""Who is who: whose an id is, and by which id the target knows a user of the kit's."""

from collections.abc import Collection

from conformance.events import Ready
from conformance.identity import Marks
from conformance.recent import Recent
from conformance.story import Connection

_REMEMBERED = 1_024


class Owners:
    """Whose ids and canaries are (`marks`), and the users of user ids; `granted` says how the kit's users log in."""

    def __init__(self, granted: Collection[str]) -> None:
        self.marks = Marks()
        self._identities: Recent[str, str] = Recent(_REMEMBERED)
        self._users: Recent[str, str] = Recent(_REMEMBERED)
        self._mints_users = "jwt" in granted
        self._anonymous = "anonymous" in granted

    def identity_of(self, user: str | None) -> str | None:
        """Return the user id by which the target should know a user of the kit's; None where that is not known yet."""
        if user is None:
            return None
        return user if self._mints_users else self._identities.get(user)

    def identity_on(self, connection: Connection) -> str | None:
        """Return the user id that a connection's credentials stand for; None where it has none, or it is not known."""
        return None if self._anonymous else self.identity_of(connection.op.user)

    def user_of(self, user_id: str | None) -> str | None:
        """Return the kit's name of a user by the target's id for it."""
        return self._users.get(user_id) if user_id else None

    def joined(self, user: str) -> None:
        """Take in a fresh user of the kit's."""
        if self._mints_users:
            self._identify(user, user)

    def greeted(self, connection: Connection, event: Ready) -> None:
        """Take in what a greeting says of whose connection it is."""
        user = connection.op.user
        if user and event.user_id and self._identities.get(user) is None and not self._mints_users:
            self._identify(user, event.user_id)
        if user and event.connection_id:
            self.marks.add(event.connection_id, "connection", user)

    def _identify(self, user: str, identity: str) -> None:
        self._identities.add(user, identity)
        if self._users.get(identity) is None:
            self._users.add(identity, user)
        self.marks.add(identity, "user", user)

"""ISO, by what the witness recorded: what the model was shown."""

from conformance import canary
from conformance.checks.check import Here, on
from conformance.checks.grounded import Grounded
from conformance.dialects.fields import shorten
from conformance.history import operations as ops
from conformance.history.operations import SeenText


class Shown(Grounded):
    """The model is shown nothing that another user said."""

    decides = ("ISO-06",)

    @on(ops.ModelCallBegan)
    def asked(self, op: ops.ModelCallBegan) -> None:
        """Search all that a call of the model was shown for others' canaries."""
        own = self._whose(op) if self.witnessed else None
        if own is None:
            return
        self.exercised["ISO-06"] += self.ground.others_spoke(own)
        for number, item in enumerate(op.seen, start=1):
            for token in canary.find(item.text.encode(errors="replace")):
                other = self._user_of(token)
                if other is not None and other != own and not self._one_identity(own, other):
                    self._leaked(op, own, other, token, number)
                    return

    def _whose(self, op: ops.ModelCallBegan) -> str | None:
        """Return the user whose agent asks; None where that cannot be told, or two things are said of it."""
        story = self.world.story_of(op.run_id) if op.run_id else None
        found = {user for user in (self._user_of(op.canary), story.user if story is not None else None) if user}
        return found.pop() if len(found) == 1 else None

    def _user_of(self, token: str | None) -> str | None:
        mark = self.world.marks.get(token.encode()) if token else None
        return mark.user if mark is not None and mark.kind == "canary" else None

    def _one_identity(self, own: str, other: str) -> bool:
        """Tell whether the target knows both as one user."""
        identity = self.world.identity_of(own)
        return identity is not None and identity == self.world.identity_of(other)

    def _leaked(self, op: ops.ModelCallBegan, own: str, other: str, token: str, number: int) -> None:
        item = op.seen[number - 1]
        at = max(0, item.text.find(token) - 80)
        shown = ops.ModelCallBegan(
            op.at, op.call, op.endpoint, op.model, seen=(SeenText(item.role, shorten(item.text[at:], 200)),)
        )
        self.fail(
            "ISO-06",
            "a user's agent was shown what another user said",
            expected=f"only what {own} said",
            actual=f"{token} of {other}, in message {number} of {len(op.seen)} ({item.role})",
            witnesses=[Here(self.world.line, shown)],
            run=self.ground.run_of(self.ground.model.open[op.call]),
            user=own,
        )

"""Whether two runs of a thread go on at the same time."""

from conformance.story import Story


def concurrent(one: Story, other: Story) -> bool:
    """Tell whether one began before the other was over, and before its client had left it."""
    first, second = sorted((one, other), key=lambda story: story.born_at)
    return first.terminal.op.at > second.born_at if first.terminal is not None else not _left_before(first, second)


def _left_before(first: Story, second: Story) -> bool:
    """Tell whether the client had left the first run's exchange, so that what it left there is the thread's history."""
    connection = first.request.connection if first.request is not None else None
    if connection is None or connection.closed is None or connection.op.method == "websocket":
        return False
    return connection.closed.at <= second.born_at

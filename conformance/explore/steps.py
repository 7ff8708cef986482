"""The steps that explored users take: what a scenario file holds, one a line.

Users are named as in the file. A user who is not connected connects before anything else. A step whose run does not
exist, or whose target lacks the capability, does nothing. `back` counts a user's runs from the newest one, which is 0.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from conformance.script import Script, calls, hangs

_Back = Annotated[int, Meta(ge=0, le=99)]
_Name = Annotated[str, Meta(min_length=1, max_length=40)]


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", omit_defaults=True, forbid_unknown_fields=True):
    """Something that a user does."""


class Connect(Step, frozen=True, tag="connect"):
    """Open a connection, another one where there is one."""

    user: _Name


class Disconnect(Step, frozen=True, tag="disconnect"):
    """End the user's newest connection: in good order, or (`cut`) as a network that fails does."""

    user: _Name
    cut: bool = False


class Start(Step, frozen=True, tag="start"):
    """Ask for a run. Its `script` may hold {canary}. With `same_thread` it goes on with the newest run's thread."""

    user: _Name
    script: list[dict[str, Any]]
    same_thread: bool = False


class Moment(StrEnum):
    """A moment of a run that can be waited for."""

    ACCEPTED = "accepted"
    TOOL = "tool"
    TOOL_DONE = "tool_done"
    TEXT = "text"
    END = "end"


class Await(Step, frozen=True, tag="await"):
    """Wait for a moment of a run: that it is accepted, a tool of it is at work or done, it speaks, it is over."""

    user: _Name
    until: Moment
    back: _Back = 0


class Resume(Step, frozen=True, tag="resume"):
    """Ask for a run's events after the first `after`, or after those that were seen; not for more than those."""

    user: _Name
    back: _Back = 0
    after: Annotated[int, Meta(ge=0)] | None = None


class Read(Step, frozen=True, tag="read"):
    """Read a run over HTTP, to its end, while the next steps are taken."""

    user: _Name
    back: _Back = 0


class Stop(Step, frozen=True, tag="stop"):
    """Stop a run."""

    user: _Name
    back: _Back = 0


class Repeat(Step, frozen=True, tag="repeat"):
    """Send the request of a run again, under the same id."""

    user: _Name
    back: _Back = 0


class Send(Step, frozen=True, tag="send"):
    """Send a frame that must be refused; with `unknown_type` a well-formed one of a type that does not exist."""

    user: _Name
    frame: str
    unknown_type: bool = False


class Oversize(Step, frozen=True, tag="oversize"):
    """Send so many bytes more than the target takes."""

    user: _Name
    over: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Deed(StrEnum):
    """What a user may try with what is another's."""

    STOP = "stop"
    RESUME = "resume"
    READ = "read"
    CONTINUE = "continue"


class Trespass(Step, frozen=True, tag="trespass"):
    """Name another user's run (or its thread, to continue it)."""

    user: _Name
    deed: Deed
    of: _Name
    back: _Back = 0


class Pause(Step, frozen=True, tag="pause"):
    """Let so many milliseconds pass."""

    ms: Annotated[int, Meta(ge=0, le=60_000)]


AnyStep = Connect | Disconnect | Start | Await | Resume | Read | Stop | Repeat | Send | Oversize | Trespass | Pause
Steps = tuple[AnyStep, ...]


def users_in(steps: Sequence[AnyStep]) -> list[str]:
    """Return the users who take part, in the order in which they turn up."""
    names = [name for step in steps for name in (getattr(step, "user", None), getattr(step, "of", None)) if name]
    return list(dict.fromkeys(names))


def filled(script: Script, canary: str) -> Script:
    """Return the script with the run's canary in it."""
    decoded: Script = msgspec.json.decode(msgspec.json.encode(script).replace(b"{canary}", canary.encode()))
    return decoded


def behaviour(script: Script) -> str:
    """Return the behaviour that a script shows, by which a target without scripts is told what to do."""
    tools = [call["tool"] for call in calls(script)]
    if hangs(script):
        return "hang"
    if any("fail" in step for step in script):
        return "model_failure"
    if "fail" in tools:
        return "tool_failure"
    if any("parallel" in step for step in script):
        return "parallel_tools"
    return "tool" if tools else "chat"

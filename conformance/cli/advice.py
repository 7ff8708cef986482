"""What to add to a target file, or to write one for, so that more can be decided."""

import re
from collections.abc import Iterator

from conformance.catalogue import Level
from conformance.target import Target
from conformance.verdict import Outcome, Verdict

_BOUND = re.compile(r"set \[bounds\] (?P<key>\w+)")
_EXAMPLES = {"run_limit_s": "30", "message_bytes": "65536", "heartbeat_s": "25"}
_RESTARTED = ("LIF-05", "LIF-06", "LIF-07")
_SCRIPTED = (
    "[witness]                # the kit's scripted model and tools: they call tools, fail and hang when they should"
)
_LAUNCHED = """\
model = true             # your engine finds them by OPENAI_BASE_URL and CONFORMANCE_TOOLS_URL
tools = true             # or, with a model of your own, [say] what makes it do so"""
_BY_HAND = """\
port = 8766              # start your engine with OPENAI_BASE_URL=http://127.0.0.1:8766/v1 OPENAI_API_KEY=any
                         # or, with a model of your own, [say] what makes it do so"""


def advice(target: Target, verdict: Verdict) -> str:
    """Say what would let more MUSTs be decided, as lines of a target file; nothing where all is there."""
    unknown = {
        each.id: each.reason
        for each in verdict.requirements
        if each.verdict is Outcome.UNKNOWN and each.level is Level.MUST
    }
    return "\n".join(_missing(target, verdict, unknown)) if unknown else ""


def _missing(target: Target, verdict: Verdict, unknown: dict[str, str]) -> Iterator[str]:
    started = target.target.command or target.target.app
    waiting = [id for id in _RESTARTED if id in unknown]
    if not started and waiting:
        yield "[target]"
        yield f'command = "…"            # how it is started, so that it can be ended and killed: {", ".join(waiting)}'
    if target.auth.scheme == "none" and any(
        each.id.startswith("ACC-") and each.verdict in (Outcome.UNKNOWN, Outcome.NOT_APPLICABLE)
        for each in verdict.requirements
    ):
        yield "[auth]"
        yield 'scheme = "jwt-hs256"     # or tokens, command: how users show who they are, to judge who may what'
    if not (target.witness.model or target.witness.tools or target.say):
        yield _SCRIPTED
        yield _LAUNCHED if started else _BY_HAND
    yield from _bounds(unknown)


def _bounds(unknown: dict[str, str]) -> Iterator[str]:
    """Name the facts about the target that reasons ask for."""
    waiting: dict[str, list[str]] = {}
    for id, reason in unknown.items():
        if found := _BOUND.search(reason):
            waiting.setdefault(found["key"], []).append(id)
    if waiting:
        yield "[bounds]"
    for key, ids in sorted(waiting.items()):
        line = f"{key} = {_EXAMPLES.get(key, 'true')}"
        yield f"{line:<25}# as it is with your engine: {', '.join(ids)}"

"""Legal recordings of AG-UI at random: whole runs, whose messages, calls, thoughts and steps interleave."""

from dataclasses import dataclass
from random import Random

from tests.dialects_ag_ui.streams import Frame, Frames, call, encode, failed, finished, result, started, stream, text

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
WORDS = ("Hello. ", "\u00fcber \U0001f680 ", "\u202eback\u202c ", "a\n\nb ", "\u0000 ", "data: x")
ENDS = ("\n", "\r\n", "\r")


@dataclass(frozen=True)
class Response:
    """One run, as one response tells it."""

    frames: Frames


def legal_recording(random: Random) -> list[Response]:
    """Return what some requests were answered with, on one thread or several."""
    threads = [f"thread-{random.getrandbits(64):x}" for _ in range(random.randrange(1, 3))]
    return [Response(_run(random, random.choice(threads))) for _ in range(random.randrange(1, 4))]


def plain_run(random: Random) -> Frames:
    """Return a run with one strand of each kind that can go wrong."""
    name = f"plain-{random.getrandbits(64):x}"
    first, content, last = text("Hello. ", f"{name}-m")
    strands = [
        [first, content, {**content, "delta": "World."}, last],
        [*call('{"a": 1}', f"{name}-c"), result("4 degrees", f"{name}-c")],
        _thought(f"{name}-t"),
        [{"type": "STEP_STARTED", "stepName": name}, {"type": "STEP_FINISHED", "stepName": name}],
    ]
    thread = f"thread-{name}"
    begun = started(name, thread, input={"messages": []})  # else a result may be of a call made long ago
    return [begun, *_interleaved(strands, random), finished(name, thread)]


def written(responses: list[Response], random: Random) -> bytes:
    """Return them as a file holds them: each with its head, in one of the forms that the format allows."""
    return b"".join(HEAD + _body(response.frames, random) for response in responses)


def _body(frames: Frames, random: Random) -> bytes:
    if random.random() < 0.5:
        return stream(frames)
    end = random.choice(ENDS)
    blocks = [": hi" + end + end]
    for number, frame in enumerate(frames):
        data = encode(frame).decode()
        fields = [f"data: {data[:1]}", f"data:{data[1:]}"] if random.random() < 0.5 else [f"data:{data}"]
        extra = random.choice(([], [f"id: {number}"], ["event: message"], ["retry: 100"], [": comment"]))
        blocks.append(end.join([*extra, *fields, "", ""]))
    return "".join(blocks).encode()


def _run(random: Random, thread: str) -> Frames:
    """A run: between its two ends, strands of events, each in its own order."""
    run = f"run-{random.getrandbits(64):x}"
    fails = random.random() < 0.2
    strands = [_strand(random, f"{run}-{number}") for number in range(random.randrange(5))]
    inside = _interleaved([[*strand] for strand in strands], random)
    last = [failed()] if fails else [*text("Done.", f"{run}-last"), finished(run, thread)]
    frames = [started(run, thread), *inside, *last]
    if random.random() < 0.5:
        began = 1_769_851_800_000
        return [{**frame, "timestamp": began + number} for number, frame in enumerate(frames)]
    return frames


def _strand(random: Random, name: str) -> Frames:
    match random.randrange(7):
        case 0:
            return _spoken(random, name)
        case 1:
            return [*call('{"a": 1}', name), result("4 degrees", name)]
        case 2:
            return [*call("", name), result('{"error": "it broke"}', name)]
        case 3:
            return _thought(name)
        case 4:
            return [{"type": "STEP_STARTED", "stepName": name}, {"type": "STEP_FINISHED", "stepName": name}]
        case 5:
            return [{"type": "CUSTOM", "name": "acme.note", "value": None}, {"type": "RAW", "event": {"type": "x"}}]
        case _:
            delta = [{"op": "add", "path": "/b", "value": [1]}, {"op": "test", "path": "/a", "value": 1}]
            return [{"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}}, {"type": "STATE_DELTA", "delta": delta}]


def _spoken(random: Random, name: str) -> Frames:
    first, *more, last = text("x", name)
    return [first, *({**more[0], "delta": random.choice(WORDS)} for _ in range(random.randrange(4))), last]


def _thought(name: str) -> Frames:
    phase = f"phase-{name}"
    return [
        {"type": "REASONING_START", "messageId": phase},
        {"type": "REASONING_MESSAGE_START", "messageId": name, "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": name, "delta": "Let me see."},
        {"type": "REASONING_MESSAGE_END", "messageId": name},
        {"type": "REASONING_END", "messageId": phase},
    ]


def _interleaved(strands: list[Frames], random: Random) -> Frames:
    frames: list[Frame] = []
    while strands := [strand for strand in strands if strand]:
        frames.append(random.choice(strands).pop(0))
    return frames

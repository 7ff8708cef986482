"""What a load remembers for samples: the lines of some connections, however their blocks were kept."""

import msgspec

from conformance.history import operations as ops
from load.memory import LINE, Frames, Lines, Memory, Singles

FRAMES = [(10, 1, b'{"type":"a"}'), (11, 2, b'{"type":"bb"}'), (13, 1, b'{"conn":2}')]
ASKED = b'{"op":"pinged","at":12,"conn":1}\n'


def frames(*told: tuple[int, int, bytes]) -> Frames:
    ats, conns, raws = zip(*told, strict=True)
    return Frames(b"".join(raws), ats, conns, tuple(map(len, raws)))


def test_frames_and_lines_come_back_in_the_order_in_which_they_came() -> None:
    memory = Memory(1 << 20)
    memory.keep(frames(*FRAMES))
    memory.keep(Lines(ASKED + ASKED.replace(b'"conn":1', b'"conn":12')))
    assert memory.of({1}) == [LINE % FRAMES[0], ASKED, LINE % FRAMES[2]]
    assert memory.of({2}) == [LINE % FRAMES[1]]
    assert memory.of({3}) == []


def test_operations_come_back_as_their_lines() -> None:
    memory = Memory(1 << 20)
    memory.keep(Singles([ops.Pinged(12, 1), ops.Pinged(12, 12), ASKED.replace(b"12", b"14")]))
    memory.keep(frames(*FRAMES))
    assert memory.of({1}) == [LINE % FRAMES[0], ASKED, LINE % FRAMES[2], ASKED.replace(b"12", b"14")]


def test_what_is_asked_counts_with_its_script() -> None:
    text = msgspec.Raw(b'{"type":"start_agent"}')
    one = Singles([ops.Sent(1, 1, frame=text)])
    assert Singles([*one.kept, ops.Sent(2, 1, frame=msgspec.Raw(bytes(text) * 1000))]).size > one.size + 5 * 22_000


def test_the_oldest_are_forgotten_but_for_how_connections_began() -> None:
    memory = Memory(200)
    began = b'{"op":"connecting","at":1,"conn":1}\n'
    memory.begin(ops.Connecting(1, 1, "alice", "ws://127.0.0.1/ws"), began)
    for at in range(10):
        memory.keep(frames((at + 20, 1, b'{"n":%d}' % at)))
    told = memory.of({1})
    assert told[0] == began
    assert 1 < len(told) < 11
    assert told[-1] == LINE % (29, 1, b'{"n":9}')

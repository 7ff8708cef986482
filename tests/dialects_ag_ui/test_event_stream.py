"""Server-sent events: the line and field rules of the WHATWG, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.transports.sse import Comment, EventStream, Item, ServerEvent, Stray


def _items(*chunks: bytes) -> list[Item]:
    stream = EventStream()
    return [item for chunk in chunks for item in stream.items(chunk)]


def _data(text: bytes) -> list[bytes]:
    return [item.data for item in _items(text) if isinstance(item, ServerEvent)]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data\ndata\n\n", [b"\n"]),
        (b"data:\n\n", [b""]),
        (b"data: a\r\n\r\ndata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\rdata: b\n\n", [b"a", b"b"]),
        (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"event: ping\n\n", []),
        (b"event: ping\ndata: a\n\n", [b"a"]),
        (b"data: a\n", []),
        (b"data: a", []),
        (b": hello\ndata: a\n\n", [b"a"]),
        (b"data: a\n: hello\ndata: b\n\n", [b"a\nb"]),
        (b"Data: a\n\n", []),
        (b" data: a\n\n", []),
        (b"data: \xff\n\n", [b"\xff"]),
    ],
)
def test_the_data_of_the_events(text: bytes, data: list[bytes]) -> None:
    assert _data(text) == data


def test_fields() -> None:
    text = b"id: 7\nevent: note\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 8\0\nretry: 250\nretry: soon\ndata: d\n\n"
    assert _items(text) == [
        ServerEvent(b"a", "note", "7"),
        ServerEvent(b"b", "message", "7"),
        ServerEvent(b"c", "message", ""),
        ServerEvent(b"d", "message", ""),
    ]
    stream = EventStream()
    list(stream.items(text))
    assert (stream.retry_ms, stream.last_id) == (250, "")


def test_comments_and_stray_lines() -> None:
    text = b': keep-alive\n\n:\n{"type":"CUSTOM"}\nnonsense\ndata: a\n\n'
    assert _items(text) == [
        Comment(b"keep-alive"),
        Comment(b""),
        Stray(b'{"type":"CUSTOM"}'),
        Stray(b"nonsense"),
        ServerEvent(b"a"),
    ]


def test_a_comment_is_seen_as_soon_as_its_line_is_whole() -> None:
    stream = EventStream()
    assert [*stream.items(b": a")] == []
    assert [*stream.items(b"live\n")] == [Comment(b"alive")]
    assert stream.comments == 1


def test_feed_yields_text_and_bytes_where_it_is_none() -> None:
    assert list(EventStream().feed("data: héllo\n\n".encode())) == ["héllo"]
    assert list(EventStream().feed(b"data: \xff\n\n: x\n\n")) == [b"\xff"]


@pytest.mark.parametrize(
    ("text", "unfinished"),
    [
        (b"data: a\n\n", None),
        (b"data: a\n", b"a"),
        (b"data: a\ndata: b", b"a\nb"),
        (b'data: a\n\ndata: {"type', b'{"type'),
        (b"data: a\n\n: comm", None),
        (b"", None),
        (b"\xef", None),
    ],
)
def test_what_a_cut_leaves(text: bytes, unfinished: bytes | None) -> None:
    stream = EventStream()
    list(stream.items(text))
    assert stream.close() == unfinished
    assert stream.close() is None


_LINES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"data", b": c", b"event: e", b"id: 1", b"", b"", b"stray", b"data: \xc3\xa9"]
    ),
    max_size=14,
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.booleans(), _LINES, st.lists(_ENDS, min_size=14, max_size=14), st.lists(st.integers(0, 90), max_size=8))
def test_cuts_make_no_difference(marked: bool, lines: list[bytes], ends: list[bytes], cuts: list[int]) -> None:
    text = (b"\xef\xbb\xbf" if marked else b"") + b"".join(line + end for line, end in zip(lines, ends, strict=False))
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    chunks = [text[a:b] for a, b in pairwise(places)]
    whole, cut = EventStream(), EventStream()
    assert [*whole.items(text)] == [item for chunk in chunks for item in cut.items(chunk)]
    assert whole.close() == cut.close()


@given(_LINES)
def test_line_ends_make_no_difference(lines: list[bytes]) -> None:
    one, two, three = (b"".join(line + end for line in lines) for end in (b"\n", b"\r\n", b"\r"))
    assert _items(one) == _items(two) == _items(three)

"""Canaries, wherever they turn up."""

import base64
import json
from random import Random
from urllib.parse import quote

import pytest

from conformance import canary

TOKEN = "cnry~0123456789abcdef0123~"


def found(data: bytes | str) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return sorted(set(canary.find(raw)))


def test_each_canary_is_another() -> None:
    random = Random(1)
    tokens = {canary.new(random) for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {canary.LENGTH}


def test_the_same_chance_gives_the_same_canary() -> None:
    assert canary.new(Random(7)) == canary.new(Random(7)) != canary.new(Random(8))


def test_every_new_canary_is_found_in_every_encoding() -> None:
    random = Random(2)
    for _ in range(50):
        token = canary.new(random)
        assert found(f"a{token}b") == [token]
        assert found(quote(token, safe="")) == [token]
        assert found(base64.b64encode(token.encode())) == [token]


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"x{TOKEN}y",
        f"~{TOKEN}~",
        f"cnry~{TOKEN}",
        json.dumps({"text": TOKEN}),
        json.dumps({"text": json.dumps({"inner": TOKEN})}),
    ],
)
def test_plain(text: str) -> None:
    assert found(text) == [TOKEN]


@pytest.mark.parametrize("upper", [False, True])
def test_escaped_letter_by_letter(upper: bool) -> None:
    form = "{:04X}" if upper else "{:04x}"
    assert found("".join("\\u" + form.format(ord(letter)) for letter in TOKEN)) == [TOKEN]


def test_only_its_marks_are_escaped() -> None:
    assert found(TOKEN.replace("~", "\\u007e")) == [TOKEN]


@pytest.mark.parametrize("mark", ["%7E", "%7e"])
def test_percent_encoded(mark: str) -> None:
    assert found(f"https://example.com/?q={TOKEN.replace('~', mark)}&x=1") == [TOKEN]


@pytest.mark.parametrize("urlsafe", [False, True])
@pytest.mark.parametrize("after", ["", "!", "\u00ff\u00fe and more"])
@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "\u00ff\u00fe\u00fd", "a long text before it, and then "])
def test_base64_at_every_alignment(before: str, after: str, urlsafe: bool) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    encoded = encode(f"{before}{TOKEN}{after}".encode())
    assert found(b'{"data": "' + encoded + b'"}') == [TOKEN]
    assert found(b'{"data": "' + encoded.rstrip(b"=") + b'"}') == [TOKEN]


@pytest.mark.parametrize("shift", range(8))
def test_base64_after_letters_that_are_no_part_of_it(shift: int) -> None:
    """What stands before it may be read as base64, too."""
    assert found(b"x" * shift + base64.b64encode(b"yz" + TOKEN.encode() + b"more")) == [TOKEN]


def test_several_at_once() -> None:
    other = "cnry~ffffffffffffffffffff~"
    assert found(f"{TOKEN} and {base64.b64encode(other.encode()).decode()}") == [TOKEN, other]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing ~ here",
        TOKEN[:-1],
        TOKEN[1:],
        TOKEN.upper(),
        TOKEN.replace("~", ""),
        "cnry~0123~",
        base64.b64encode(TOKEN[:-3].encode()).decode(),
        "\\u00zz cnry%7",
    ],
)
def test_what_is_no_whole_canary(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("raw", [b"\xff\xfe~", b"\x00" * 50 + b"Y25yeX", b"\\u0", b"\\u00"])
def test_any_bytes_may_be_searched(raw: bytes) -> None:
    assert found(raw) == []


@pytest.mark.parametrize("size", range(1, canary.LENGTH))
def test_split_over_pieces_it_is_found_in_the_whole_alone(size: int) -> None:
    pieces = [TOKEN[at : at + size] for at in range(0, len(TOKEN), size)]
    assert not any(found(piece) for piece in pieces)
    assert found("".join(pieces)) == [TOKEN]


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (TOKEN, False),
        (TOKEN.replace("~", "\\u007e"), True),
        (quote(TOKEN, safe="").replace("~", "%7E"), True),
        (base64.b64encode(TOKEN.encode()).decode(), True),
        ("nothing", False),
    ],
)
def test_whether_there_may_be_an_encoded_one(text: str, may: bool) -> None:
    assert canary.may_be_encoded(text.encode()) is may

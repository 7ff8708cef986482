import json

import pytest

from reports.visible import block, longest_run, one_line, pretty, visible
from tests.reports.report_verdicts import HOSTILE, LONG


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain, ünï¢ode, 日本, 🎉", "plain, ünï¢ode, 日本, 🎉"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x00b", r"a\x00b"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028line", r"line\u2028line"),
        ("\ud83d", r"\ud83d"),
        ("\U000e0041", r"\U000e0041"),
        ("\r\n\t", r"\r\n\t"),
    ],
)
def test_what_cannot_be_printed_is_escaped(raw: str, shown: str) -> None:
    assert visible(raw) == shown
    assert visible(shown) == shown


def test_a_line_stays_one_line_and_a_block_keeps_its_lines() -> None:
    assert one_line("a\nb", limit=9) == r"a\nb"
    assert block("a\nb\x1b", limit=9) == "a\nb\\x1b"
    assert one_line(HOSTILE, limit=10_000).isprintable()


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert one_line(LONG, limit=5) == "AAAAA… (1,000,000 characters)"
    assert block(LONG, limit=5) == "AAAAA… (1,000,000 characters)"
    assert one_line("12345", limit=5) == "12345"


def test_json_is_indented_and_nothing_else_changes() -> None:
    assert pretty('{"a":1,"a":2.50,"b":"\\u202e"}', limit=100) == '{\n  "a": 1,\n  "a": 2.50,\n  "b": "\\u202e"\n}'
    assert pretty(json.dumps(["\u202e"], ensure_ascii=False), limit=100) == '[\n  "\\u202e"\n]'


@pytest.mark.parametrize("text", ['{"a":1', "data: {}", "", "[" * 100_000, "[NaN]", '{"a": "\ud83d"}', "12"])
def test_what_is_not_json_stays_as_it_is(text: str) -> None:
    assert pretty(text, limit=200_000) == visible(text)


def test_the_longest_run_of_a_character() -> None:
    assert longest_run("a``b```c`", "`") == 3
    assert longest_run("abc", "`") == 0

import pytest

from conformance.checks.excerpt import without

FRAME = '{"payload":{"final_response":"one two","note":"one two three"}}'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one two", '{"payload":{"final_response": ,"note":"one two three"}}'),
        ("one", FRAME + " "),  # only a part of a text
        ("", FRAME),
        (None, FRAME),
    ],
)
def test_a_frame_without_a_text_that_is_searched_elsewhere(text: str | None, left: str) -> None:
    assert without(FRAME.encode(), text).decode() == left


def test_what_is_not_ascii_stays_as_its_words_end_elsewhere() -> None:
    frame = '{"payload":{"final_response":"é-1"}}'.encode()
    assert without(frame, "é-1") == frame

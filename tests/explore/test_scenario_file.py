"""Scenario files: what is written is read again, and what is wrong is said with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cli import run
from conformance.errors import UsageError
from conformance.explore import scripts
from conformance.explore import steps as do
from conformance.explore.scenario_file import ScenarioFile, parse, read, write
from conformance.explore.steps import Deed, Moment, users_in

USERS = st.sampled_from(["ann", "ben", 'a user with \x7f and "quotes"'])
STEPS = st.one_of(
    st.builds(do.Connect, user=USERS),
    st.builds(do.Disconnect, user=USERS, cut=st.booleans()),
    st.builds(do.Start, user=USERS, script=scripts.scripts(hanging=True), same_thread=st.booleans()),
    st.builds(do.Await, user=USERS, until=st.sampled_from(Moment), back=st.integers(0, 3)),
    st.builds(do.Resume, user=USERS, after=st.none() | st.integers(0, 9)),
    st.builds(do.Read, user=USERS),
    st.builds(do.Stop, user=USERS),
    st.builds(do.Repeat, user=USERS, back=st.integers(0, 3)),
    st.builds(do.Send, user=USERS, frame=st.text(), unknown_type=st.booleans()),
    st.builds(do.Oversize, user=USERS, over=st.integers(1, 99)),
    st.builds(do.Trespass, user=USERS, deed=st.sampled_from(Deed), of=USERS),
    st.builds(do.Pause, ms=st.integers(0, 60_000)),
)

WRONG = {
    "no TOML": ("steps = [", "not TOML"),
    "no steps": ("title = 'x'", "steps"),
    "an unknown key": ("steps = []\nsteep = 1", "steep"),
    "an unknown step": ('steps = [{ do = "dance", user = "ann" }]', "dance"),
    "a step without its user": ('steps = [{ do = "connect" }]', "user"),
    "an unknown moment": ('steps = [{ do = "await", user = "ann", until = "noon" }]', "noon"),
    "a script that says nothing": (
        'steps = [{ do = "start", user = "a", script = [{ sing = "x" }] }]',
        "step 1: script",
    ),
    "a call without arguments": (
        'steps = [{ do = "pause", ms = 1 }, { do = "start", user = "a", script = [{ tool = "echo" }] }]',
        "step 2: script",
    ),
    "another format": ("format = 9\nsteps = []", "format 9: expected 1"),
}


@given(st.lists(STEPS))
def test_what_is_written_is_read_again(steps: list[do.AnyStep]) -> None:
    file = ScenarioFile(steps=tuple(steps), title='a "title"', violates=("ISO-01",), target="x", seed=3)
    text = write(file)
    assert parse(text, path="x.toml") == file
    assert len(text.splitlines()) == len(steps) + 8


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(case: str) -> None:
    text, said = WRONG[case]
    with pytest.raises(UsageError, match=said) as told:
        parse(text, path="x.toml")
    assert str(told.value).startswith("x.toml")


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.toml"
    assert run(["verify", "--reference", "--scenario", str(missing), "--out", str(tmp_path)]) == 64
    assert f"--scenario {missing}: not a scenario file" in capsys.readouterr().err


def test_the_users_of_steps_are_those_who_are_named() -> None:
    steps = read(Path(__file__).with_name("noisy.toml")).steps
    assert users_in(steps) == ["cyd", "ann", "ben"]

"""Scripts of random shape. What is simpler comes first: that is where a failure shrinks to."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.script import Script, Step, tool

_WORDS = (
    "word {canary}",
    "{canary}",
    "a longer answer, for {canary} alone",
    "ünïcödé ✓ {canary} 漢字",
    'quo"ted\\ {canary}',
)
_MS = (300, 200, 100, 400, 50)


def texts() -> SearchStrategy[str]:
    """Texts, each with the run's canary."""
    return st.sampled_from(_WORDS)


def sleeps() -> SearchStrategy[Step]:
    """Calls of a tool that takes time."""
    return st.builds(lambda ms, text: tool("sleep", ms=ms, text=text), st.sampled_from(_MS), texts())


def _calls() -> SearchStrategy[Step]:
    echoes = st.builds(lambda text: tool("echo", text=text), texts())
    return st.one_of(sleeps(), echoes, st.just(tool("fail", message="on purpose {canary}")))


def _parts() -> SearchStrategy[Step]:
    return st.one_of(
        _calls(),
        st.builds(lambda text: {"say": f"{text} "}, texts()),
        st.builds(lambda text: {"think": text}, texts()),
        st.builds(lambda calls: {"parallel": calls}, st.lists(_calls(), min_size=2, max_size=3)),
        st.builds(lambda ms: {"stall_ms": ms}, st.sampled_from((100, 50, 250))),
    )


def scripts(*, hanging: bool) -> SearchStrategy[Script]:
    """Scripts that end with an answer or a failing model; with `hanging` also such as never end by themselves."""
    ends: list[list[dict[str, Any]]] = [[{"say": "done {canary}"}], [{"fail": "the model is overloaded"}]]
    if hanging:
        ends.append([tool("hang"), {"say": "never"}])
    middles = st.lists(_parts(), min_size=0, max_size=3)
    return st.builds(
        lambda middle, end: [{"think": "{canary}"}, *middle, *end], middles, st.sampled_from([ends[0], *ends])
    )


def busy() -> SearchStrategy[Script]:
    """Scripts whose first deed is a tool that takes a while."""
    return st.builds(lambda call: [{"think": "{canary}"}, call, {"say": "done {canary}"}], sleeps())

"""JSON Patch: what RFC 6902 says of each operation."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects.ag_ui.json_patch import PatchError, apply, malformed


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({"a": 1}, _add("/b", 2), {"a": 1, "b": 2}),
        ({"a": [1, 3]}, _add("/a/1", 2), {"a": [1, 2, 3]}),
        ({"a": [1]}, _add("/a/-", 2), {"a": [1, 2]}),
        ({"a": [1]}, _add("/a/1", 2), {"a": [1, 2]}),
        ({"a": 1}, _add("", [1]), [1]),
        ({"a": 1}, _add("/a", None), {"a": None}),
        ({}, _add("/", 1), {"": 1}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/a~1b"}, {"m~n": 2}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/m~0n"}, {"a/b": 1}),
        ({"~1": 1}, {"op": "remove", "path": "/~01"}, {}),
        ([1, 2], {"op": "remove", "path": "/0"}, [2]),
        ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b", "value": 2}, {"a": {"b": 2}}),
        ({"a": 1}, {"op": "replace", "path": "", "value": 2}, 2),
        ({"a": {"b": 1}, "c": {}}, {"op": "move", "from": "/a/b", "path": "/c/d"}, {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/a"}, {"a": 1}),
        ({"a": {"b": 1}}, {"op": "copy", "from": "/a", "path": "/c"}, {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": [1, {"b": 1.0}]}, {"op": "test", "path": "/a", "value": [1, {"b": 1}]}, {"a": [1, {"b": 1.0}]}),
    ],
)
def test_an_operation(before: Any, operation: dict[str, Any], after: Any) -> None:
    kept = json.dumps(before)
    assert malformed([operation]) is None
    assert apply(before, [operation]) == after
    assert json.dumps(before) == kept, "the document itself was changed"


@pytest.mark.parametrize(
    ("before", "operation", "words"),
    [
        ({}, {"op": "remove", "path": "/a"}, "operation 0: remove /a: there is no 'a'"),
        ({}, {"op": "replace", "path": "/a", "value": 1}, "there is no 'a'"),
        ({}, _add("/a/b", 1), "there is no 'a'"),
        ([], _add("/1", 1), "'1' is no index of an array of length 0"),
        ([1], _add("/01", 1), "'01' is no index"),
        ([1], {"op": "remove", "path": "/-"}, "'-' is no index"),
        ([1], {"op": "remove", "path": "/1"}, "'1' is no index"),
        ({"a": 1}, _add("/a/b", 1), "neither object nor array"),
        ({"a": 1}, {"op": "test", "path": "/a", "value": True}, "True expected, 1 found"),
        ({"a": [1]}, {"op": "test", "path": "/a", "value": [1, 2]}, "[1, 2] expected"),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a", "path": "/a/b"}, "cannot be moved into itself"),
        ({}, {"op": "copy", "from": "/a", "path": "/b"}, "there is no 'a'"),
    ],
)
def test_an_operation_that_cannot_be_carried_out(before: Any, operation: dict[str, Any], words: str) -> None:
    assert malformed([operation]) is None
    with pytest.raises(PatchError) as caught:
        apply(before, [operation])
    assert words in str(caught.value)


def test_a_failing_operation_is_named_by_its_number() -> None:
    with pytest.raises(PatchError, match="operation 1: remove /b"):
        apply({"a": 1}, [{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/b"}])


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (3, "an object expected"),
        ({}, "op is missing"),
        ({"op": "merge", "path": "/a"}, "op is 'merge'"),
        ({"op": ["add"], "path": "/a"}, "op is ['add']"),
        ({"op": "add", "value": 1}, "add without path"),
        ({"op": "add", "path": "/a"}, "add without value"),
        ({"op": "move", "path": "/a"}, "move without from"),
        ({"op": "remove", "path": "a"}, "path is no JSON Pointer"),
        ({"op": "remove", "path": 3}, "path is no JSON Pointer"),
        ({"op": "remove", "path": "/a~2"}, "neither ~0 nor ~1"),
        ({"op": "copy", "path": "/a", "from": "b"}, "from is no JSON Pointer"),
    ],
)
def test_what_is_no_operation(operation: Any, words: str) -> None:
    problem = malformed([_add("/a", 1), operation])
    assert problem is not None
    assert problem.startswith("operation 1: ")
    assert words in problem


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab/~"), inner, max_size=3),
    max_leaves=8,
)
_OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": st.sampled_from(["", "/a", "/a/b", "/0", "/a/-", "/a/1", "/~1", "/~0"]),
        "from": st.sampled_from(["", "/a", "/b", "/0"]),
        "value": _DOCUMENTS,
    }
)


@given(_DOCUMENTS, st.lists(_OPERATIONS, max_size=4))
def test_a_document_is_never_changed_in_place(document: Any, patch: list[dict[str, Any]]) -> None:
    kept = json.dumps(document)
    with suppress(PatchError):
        apply(document, patch)
    assert json.dumps(document) == kept

"""A mapping file is read strictly: what is wrong is told by file and key, with a guess."""

from pathlib import Path

import pytest

from conformance.dialects import named, names
from conformance.errors import UsageError
from conformance.target import load
from tests.dialects_mapping.mappings import DONE, EXAMPLES, HEAD, STARTED, mapping

TEXT = '\n[[event]]\nis = "text"\nwhen = { t = "text" }\n'
START = "\n[requests.start]\n"
BAD: dict[str, tuple[str, str]] = {
    "no TOML": ("[mapping", "not a mapping file: Expected ']'"),
    "nothing": ("", "[mapping]: expected this table with name and transport, found none"),
    "an unknown table": (HEAD + DONE + "\n[field]\n", "field: unknown key; did you mean fields? expected one of"),
    "an unknown key": (
        HEAD + 'transprot = "sse"\n' + DONE,
        "[mapping] transprot: unknown key; did you mean transport?",
    ),
    "no name": (
        '[mapping]\ntransport = "sse"\n' + DONE,
        "[mapping] name: expected the name of the protocol, found none",
    ),
    "no transport": (
        '[mapping]\nname = "x"\n' + DONE,
        "[mapping] transport: expected one of websocket, sse, ndjson, json",
    ),
    "another transport": (
        HEAD.replace("ndjson", "websockets") + DONE,
        "[mapping] transport: 'websockets' is not known; did you mean websocket?",
    ),
    "a capability that there is not": (
        HEAD + 'capabilities = ["thread"]\n' + DONE,
        "[mapping] capabilities: 'thread' is not known; did you mean threads?",
    ),
    "a stop that is not asked for": (
        HEAD + 'capabilities = ["stop"]\n' + DONE,
        "[mapping] capabilities: stop: expected [requests.stop], which says how",
    ),
    "a flag that is none": (
        HEAD + "client_tools = 1\n" + DONE,
        "[mapping] client_tools: expected true or false, got 1",
    ),
    "names of events without any": (
        HEAD + "event_names = true\n" + DONE,
        '[mapping] event_names: only with transport = "sse", found "ndjson"',
    ),
    "no events": (HEAD, "[[event]]: expected at least one such table, each saying what a frame means"),
    "no end": (HEAD + STARTED, "[[event]]: no frame ends a run: expected one that is run_completed, run_failed"),
    "an event without a meaning": (
        HEAD + DONE + "\n[[event]]\nwhen = { t = 1 }\n",
        "[[event]] 2 is: expected what the frame means, found none; expected one of",
    ),
    "a meaning that there is not": (
        HEAD + DONE.replace("run_completed", "completed"),
        "[[event]] 1 (completed) is: 'completed' is not known; did you mean run_completed?",
    ),
    "an event without its frames": (
        HEAD + '[[event]]\nis = "heartbeat"\n',
        "[[event]] 1 (heartbeat) when: expected which frames are meant, e.g. when = {",
    ),
    "a condition that is none": (
        HEAD + '[[event]]\nis = "heartbeat"\nwhen = "ping"\n',
        "[[event]] 1 (heartbeat) when: expected a table of paths and values",
    ),
    "a condition without a value": (
        HEAD + '[[event]]\nis = "heartbeat"\nwhen = { t = [] }\n',
        "[[event]] 1 (heartbeat) when: t: expected a value or a list of values",
    ),
    "a name of an event where there are none": (
        HEAD + DONE.replace("t =", '"@event" ='),
        "[[event]] 1 when: @event: expected event_names = true in [mapping]",
    ),
    "a field that is not placed": (
        HEAD + DONE + TEXT,
        "[[event]] 2 (text) text: expected where the text of this event is, found none",
    ),
    "a field that there is not": (
        HEAD + DONE + TEXT + 'txt = "data"\n',
        "[[event]] 2 (text) text: expected where the text of this event is, found none",
    ),
    "another field that there is not": (
        HEAD + DONE + TEXT + 'text = "data"\nmesage_id = "id"\n',
        "[[event]] 2 (text) mesage_id: unknown key; did you mean message_id?",
    ),
    "a path with a gap": (
        HEAD + DONE + TEXT + 'text = "data..x"\n',
        "[[event]] 2 (text) text: 'data..x' is no path: a field between two dots, or at an end, is empty; expected",
    ),
    "a path with a bad index": (
        HEAD + DONE + TEXT + 'text = "data[x]"\n',
        "[[event]] 2 (text) text: 'data[x]' is no path: 'data[x]' is no field; expected",
    ),
    "a path that is no text": (HEAD + DONE + TEXT + "text = 5\n", "[[event]] 2 (text) text: expected a string, got 5"),
    "no path": (
        HEAD + DONE + TEXT + "text = { json = true }\n",
        "[[event]] 2 (text) text path: expected either path, or value",
    ),
    "an unknown option": (
        HEAD + DONE + TEXT + 'text = { path = "x", optionall = true }\n',
        "[[event]] 2 (text) text optionall: unknown key; did you mean optional? expected one of",
    ),
    "a type that there is not": (
        HEAD + DONE + TEXT + 'text = { path = "x", type = "str" }\n',
        "[[event]] 2 (text) text type: 'str' is not known; did you mean string?",
    ),
    "a form of time that there is not": (
        HEAD + DONE + '[fields]\ntimestamp = { path = "ts", form = "msec" }\n',
        "[fields] timestamp form: 'msec' is not known; did you mean ms?",
    ),
    "a field that no envelope has": (
        HEAD + DONE + '[fields]\nrunid = "x"\n',
        "[fields] runid: unknown key; did you mean run_id?",
    ),
    "accumulated numbers": (
        HEAD + DONE + '[fields]\nseq = { path = "n", accumulated = true }\n',
        "[fields] seq accumulated: only the text of an event can be accumulated",
    ),
    "values that are none": (
        HEAD + DONE + TEXT + 'text = { path = "x", values = {} }\n',
        "[[event]] 2 (text) text values: expected a table such as",
    ),
    "a request that there is not": (
        HEAD + DONE + '[requests.begin]\nbody = "x"\n',
        "[requests] begin: unknown key; expected one of start,",
    ),
    "no request for a run": (
        HEAD + DONE + '[requests.ping]\nbody = "x"\n',
        "[requests]: expected [requests.start], which says how",
    ),
    "braces that are not known": (
        HEAD + DONE + START + 'body = { a = ["x {txt}"] }\n',
        "[requests.start] body: {txt} is not known; did you mean text? expected one of",
    ),
    "a method that there is not": (
        HEAD + DONE + START + 'method = "FETCH"\n',
        "[requests.start] method: 'FETCH' is not known; did you mean PATCH? expected one of GET",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_by_file_and_key(name: str) -> None:
    text, expected = BAD[name]
    with pytest.raises(UsageError) as caught:
        mapping(text)
    assert str(caught.value).startswith(f"acme.toml: {expected}")


def test_the_least_that_a_mapping_needs() -> None:
    dialect = mapping(HEAD + DONE)
    assert (dialect.name, dialect.transport, dialect.implied, dialect.greets) == ("acme", "http", frozenset(), False)


def test_a_mapping_is_found_by_its_path_and_is_no_built_in_dialect() -> None:
    path = EXAMPLES / "chat-sse.toml"
    assert named(str(path)).name == "chat-sse"
    assert not {"mapping", "chat-sse"} & set(names())


def test_a_path_without_a_file() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: no such mapping file"):
        named("nowhere.toml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"binary\.toml: cannot be read: .*utf-8"):
        named(str(file))


def test_in_a_target_file_the_path_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "ours.toml").write_text(HEAD + DONE)
    target = tmp_path / "target.toml"
    target.write_text('[target]\nurl = "http://127.0.0.1:1/x"\ndialect = "maps/ours.toml"\n')
    assert named(load(target).target.dialect).name == "acme"

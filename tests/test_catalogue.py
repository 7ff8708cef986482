import json
import re
from collections import Counter
from pathlib import Path

import pytest

from conformance.catalogue import (
    REVISION,
    Catalogue,
    CatalogueError,
    Family,
    Level,
    Requirement,
    UnknownRequirement,
    load,
    read,
)
from conformance.catalogue.listing import as_json, as_text, explain

COUNTS = {
    "EVT": 16,
    "SCH": 7,
    "IDN": 10,
    "ORD": 5,
    "ISO": 12,
    "ACC": 7,
    "LIF": 12,
    "DLV": 10,
    "SRC": 22,
    "TST": 6,
    "AGU": 24,
}
SHOULD = {
    "AGU-11",
    "AGU-17",
    "AGU-18",
    "AGU-22",
    "AGU-23",
    "SCH-04",
    "SCH-07",
    "IDN-10",
    "ACC-06",
    "ACC-07",
    "SRC-11",
    "SRC-12",
    "SRC-13",
    "SRC-14",
    "TST-05",
}
CAPABILITIES = {
    "EVT-04": "thinking",
    "EVT-12": "witness",
    "EVT-15": "text_stream",
    "EVT-16": "witness",
    "SCH-07": "sse",
    "ORD-01": "seq",
    "ORD-02": "seq",
    "ORD-04": "resume",
    "ORD-05": "multi_connection",
    "ISO-04": "threads",
    "ISO-06": "witness",
    "ACC-02": "jwt",
    "ACC-04": "run_access",
    "ACC-06": "jwt",
    "ACC-07": "websocket",
    "LIF-09": "websocket",
    "IDN-05": "run_ids",
    "IDN-08": "user_ids",
    "DLV-01": "seq",
    "LIF-01": "idempotency",
    "LIF-02": "stop",
    "LIF-05": "managed",
    "LIF-06": "durable",
    "LIF-12": "memory",
    "DLV-05": "resume",
    "DLV-07": "heartbeat",
    "DLV-08": "resume",
    "DLV-10": "multi_connection",
    **{f"AGU-{number:02}": "ag_ui" for number in range(1, 25)},
}
GOOD = """\
family = "EVT"
title = "every run tells its whole story"

[EVT-02]
level = "SHOULD"
statement = "A run ends."
rationale = '''
Without an end
it turns for ever.
'''
decided = "By its last event."
capability = "text_stream"
source = "catalogue revision 1"
since = 1

[EVT-01]
level = "MUST"
statement = "A run begins."
rationale = "Without a start nothing is shown."
decided = "By its first event."
source = "catalogue revision 1"
since = 1
"""


def write(directory: Path, content: str, *, name: str = "evt.toml") -> Path:
    (directory / name).write_text(content, encoding="utf-8")
    return directory


def requirement(id: str, statement: str = "It holds.", *, capability: str | None = None) -> Requirement:
    return Requirement(
        id=id,
        family=id[:3],
        level=Level.MUST,
        statement=statement,
        rationale="Else it breaks.",
        decided="By looking.",
        source="RFC 3339",
        since=1,
        capability=capability,
    )


def test_every_requirement_of_the_revision_is_there() -> None:
    assert [r.id for r in load()] == [
        f"{family}-{number:02}" for family in sorted(COUNTS) for number in range(1, COUNTS[family] + 1)
    ]


def test_every_family_is_there_with_a_title_of_its_own() -> None:
    assert [family.id for family in load().families] == sorted(COUNTS)
    assert len({family.title for family in load().families}) == len(COUNTS)


def test_levels_are_those_of_the_revision() -> None:
    assert {r.id for r in load() if r.level is Level.SHOULD} == SHOULD


def test_capabilities_are_those_of_the_revision() -> None:
    assert {r.id: r.capability for r in load() if r.capability} == CAPABILITIES


def test_statements_carry_no_marker_of_a_capability() -> None:
    assert [r.id for r in load() if re.search(r"cap:|SSE only$", r.statement)] == []


@pytest.mark.parametrize(
    ("id", "statement"),
    [
        ("EVT-02", "An accepted run ends in exactly one terminal event (completed, error or stopped)."),
        (
            "IDN-02",
            'No id is a placeholder ("None", "null", "undefined", "registry", "default", "default_user", '
            '"unknown", "test", the nil UUID, …).',
        ),
        ("ISO-06", "A fresh user's agent knows nothing that other users said."),
        ("SRC-09", "A required collaborator is not None (e.g. `reliability_manager=None`)."),
    ],
)
def test_statement_is_the_normative_line(id: str, statement: str) -> None:
    assert load()[id].statement == statement


@pytest.mark.parametrize("field", ["statement", "rationale", "decided"])
def test_no_text_serves_two_requirements(field: str) -> None:
    texts = Counter(getattr(r, field) for r in load())
    assert [text for text, times in texts.items() if times > 1] == []


def test_the_catalogue_tells_its_revision() -> None:
    assert load().REVISION == REVISION == 1
    assert {r.since for r in load()} == {1}


def test_read_gives_the_fields_of_a_file(tmp_path: Path) -> None:
    catalogue = read(write(tmp_path, GOOD))
    assert catalogue.families == (Family(id="EVT", title="every run tells its whole story"),)
    assert [r.id for r in catalogue] == ["EVT-01", "EVT-02"]
    assert catalogue["EVT-02"] == Requirement(
        id="EVT-02",
        family="EVT",
        level=Level.SHOULD,
        statement="A run ends.",
        rationale="Without an end it turns for ever.",
        decided="By its last event.",
        source="catalogue revision 1",
        since=1,
        capability="text_stream",
    )
    assert catalogue["EVT-01"].capability is None


def test_read_takes_toml_files_alone(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "not TOML", name="notes.txt")
    assert len(read(tmp_path)) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "capability = ",
            "capabilty = ",
            "evt.toml: EVT-02.capabilty: unknown key, expected one of level, statement, rationale, decided, source, "
            "since, capability",
        ),
        (
            "[EVT-01]",
            "[EVT-1]",
            "evt.toml: EVT-1: expected family, title, or an id of the form EVT-01",
        ),
        (
            "[EVT-01]",
            "[evt-01]",
            "evt.toml: evt-01: expected family, title, or an id of the form EVT-01",
        ),
        (
            "title = ",
            "titel = 'a'\ntitle = ",
            "evt.toml: titel: expected family, title, or an id of the form EVT-01",
        ),
        (
            "[EVT-01]",
            "[SCH-01]",
            "evt.toml: SCH-01: expected an id of the family EVT, got one of SCH",
        ),
        ("title = ", "EVT-03 = 1\ntitle = ", "evt.toml: EVT-03: expected a table [EVT-03], got 1"),
        (
            '"A run begins."',
            '" "',
            "evt.toml: EVT-01.statement: expected a text that is not empty, got ' '",
        ),
        (
            '"A run begins."',
            "1",
            "evt.toml: EVT-01.statement: expected a text that is not empty, got 1",
        ),
        (
            'decided = "By its first event."\n',
            "",
            "evt.toml: EVT-01.decided: expected a text that is not empty, found nothing",
        ),
        ('"MUST"', '"MAY"', "evt.toml: EVT-01.level: expected MUST or SHOULD, got 'MAY'"),
        ('"MUST"', '"must"', "evt.toml: EVT-01.level: expected MUST or SHOULD, got 'must'"),
        (
            'level = "MUST"\n',
            "",
            "evt.toml: EVT-01.level: expected MUST or SHOULD, found nothing",
        ),
        (
            '"text_stream"',
            '"text stream"',
            "evt.toml: EVT-02.capability: expected a capability such as text_stream, got 'text stream'",
        ),
        (
            'family = "EVT"',
            'family = "SCH"',
            "evt.toml: family: expected three capital letters that name the file in lower case, got 'SCH'",
        ),
        (
            'family = "EVT"\n',
            "",
            "evt.toml: family: expected a text that is not empty, found nothing",
        ),
        (
            'title = "every run tells its whole story"\n',
            "",
            "evt.toml: title: expected a text that is not empty, found nothing",
        ),
    ],
)
def test_read_refuses_a_flaw_and_names_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(CatalogueError) as caught:
        read(write(tmp_path, GOOD.replace(old, new)))
    assert str(caught.value) == message


@pytest.mark.parametrize("since", ["0", str(REVISION + 1), "true", '"1"'])
def test_read_refuses_a_revision_that_is_none(tmp_path: Path, since: str) -> None:
    with pytest.raises(CatalogueError, match=r"^evt\.toml: EVT-0[12]\.since: expected a catalogue revision from 1 to"):
        read(write(tmp_path, GOOD.replace("since = 1", f"since = {since}")))


def test_read_refuses_a_duplicate_id(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"^evt\.toml: expected .*each id and key once: .*EVT-01.*line"):
        read(write(tmp_path, GOOD.replace("[EVT-02]", "[EVT-01]")))


def test_read_refuses_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "evt.toml").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(CatalogueError, match=r"^evt\.toml: expected valid TOML"):
        read(tmp_path)


def test_read_refuses_a_family_without_requirements(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"^evt\.toml: expected at least one requirement \[EVT-01\]"):
        read(write(tmp_path, 'family = "EVT"\ntitle = "nothing yet"\n'))


def test_read_refuses_a_directory_without_families(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="expected a TOML file for each family, found none"):
        read(tmp_path)


def test_catalogue_is_looked_up_by_id() -> None:
    assert load()["EVT-01"].id == "EVT-01"
    assert load().family("ISO").title == "nobody sees anybody else"
    assert "EVT-01" in load()
    assert "EVT-99" not in load()


def test_select_takes_ids_and_families_in_any_case_and_gives_each_once_in_order() -> None:
    chosen = load().select(["tst", "Ord-03", "ORD-01", "ord-03", " TST-02 "])
    assert [r.id for r in chosen] == ["ORD-01", "ORD-03", *(f"TST-{number:02}" for number in range(1, 7))]


def test_select_of_no_names_is_empty() -> None:
    assert load().select([]) == []


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("EVT-1", "EVT-01"),
        ("evt_07", "EVT-07"),
        ("DVL-07", "DLV-07"),
        ("ios", "ISO"),
        ("SRC07", "SRC-07"),
        ("latency", None),
        ("", None),
    ],
)
def test_an_unknown_name_is_guessed(name: str, guess: str | None) -> None:
    with pytest.raises(UnknownRequirement) as caught:
        load().select(["EVT", name])
    assert (caught.value.name, caught.value.guess) == (name, guess)


def test_the_message_of_an_unknown_name_says_how_to_go_on() -> None:
    assert str(UnknownRequirement("ios", "ISO")) == (
        "expected a requirement id or a family, got 'ios'; did you mean ISO? "
        "`agent-conformance requirements` lists them all"
    )
    assert str(UnknownRequirement("latency", None)) == (
        "expected a requirement id or a family, got 'latency'; `agent-conformance requirements` lists them all"
    )


def test_looking_up_an_unknown_id_or_family_raises() -> None:
    with pytest.raises(UnknownRequirement, match="did you mean EVT-01"):
        load()["evt-01"]
    with pytest.raises(UnknownRequirement, match="did you mean EVT"):
        load().family("EVTS")


def test_a_catalogue_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load()["EVT-01"].level = Level.SHOULD  # type: ignore[misc]
    with pytest.raises(AttributeError):
        load().families = ()  # type: ignore[misc]


def test_text_is_grouped_and_aligned() -> None:
    catalogue = Catalogue(
        requirements=(
            requirement("ORD-01", "One two three four five six seven eight nine ten."),
            requirement("TST-01"),
        ),
        families=(Family("EVT", "unlisted"), Family("ORD", "order is kept"), Family("TST", "tests can fail")),
    )
    assert as_text(list(catalogue), catalogue.families, width=50) == (
        "ORD: order is kept\n"
        "  ORD-01  MUST    One two three four five six\n"
        "                  seven eight nine ten.\n"
        "\n"
        "TST: tests can fail\n"
        "  TST-01  MUST    It holds.\n"
    )


def test_text_of_nothing_is_empty() -> None:
    assert as_text([], load().families, width=80) == ""


@pytest.mark.parametrize("width", [80, 120])
def test_text_keeps_to_the_width_and_loses_no_word(width: int) -> None:
    text = as_text(list(load()), load().families, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    words = text.split()
    for r in load():
        at = words.index(r.id)
        assert words[at + 1] == r.level
        assert " ".join(words[at + 2 :]).startswith(r.statement)


def test_text_of_a_very_narrow_terminal_still_has_room_for_words() -> None:
    lines = as_text([requirement("ORD-01", "One two three four.")], [Family("ORD", "order")], width=5).splitlines()
    assert lines == ["ORD: order", "  ORD-01  MUST    One two three four."]


def test_explain_tells_everything() -> None:
    assert explain(requirement("ORD-01", capability="seq")) == (
        "ORD-01 (MUST, for targets with the capability seq)\n"
        "\n"
        "  It holds.\n"
        "\n"
        "Why\n"
        "  Else it breaks.\n"
        "\n"
        "How it is decided\n"
        "  By looking.\n"
        "\n"
        "Source\n"
        "  RFC 3339 (in the catalogue since revision 1)\n"
    )


def test_explain_names_no_capability_where_there_is_none() -> None:
    assert explain(requirement("ORD-01")).startswith("ORD-01 (MUST)\n")


def test_json_has_every_field() -> None:
    assert json.loads(as_json([requirement("ORD-01", capability="seq"), requirement("ORD-02")])) == [
        {
            "id": "ORD-01",
            "family": "ORD",
            "level": "MUST",
            "statement": "It holds.",
            "rationale": "Else it breaks.",
            "decided": "By looking.",
            "source": "RFC 3339",
            "since": 1,
            "capability": "seq",
        },
        {
            "id": "ORD-02",
            "family": "ORD",
            "level": "MUST",
            "statement": "It holds.",
            "rationale": "Else it breaks.",
            "decided": "By looking.",
            "source": "RFC 3339",
            "since": 1,
            "capability": None,
        },
    ]

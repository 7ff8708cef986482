"""The catalogue: every requirement as data, one TOML file a family.

A family's file names the family and its title, then has one table for each requirement. The texts may run
over several lines; white space within them is not kept. Ids never change and are never reused.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import ClassVar

import msgspec

from conformance.errors import HarnessError, UsageError

REVISION = 1
"""The revision of the catalogue that this package holds; a requirement says since which one it is there."""

_FAMILY_ID = re.compile(r"[A-Z]{3}")
_ID = re.compile(r"([A-Z]{3})-[0-9]{2}")
_LONE_DIGIT = re.compile(r"(?<![0-9])([0-9])$")
_CAPABILITY = re.compile(r"[a-z][a-z_]*")


class Level(StrEnum):
    """How binding a requirement is, in the words of RFC 2119."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One promise that a target keeps or breaks.

    `statement` is the normative line, `rationale` what goes wrong without it, `decided` how a verdict on it
    comes about, `source` the document that the rule stems from, and `since` the catalogue revision that
    brought it. With a `capability` it applies only to targets that declare that capability.
    """

    id: str
    family: str
    level: Level
    statement: str
    rationale: str
    decided: str
    source: str
    since: int
    capability: str | None = None


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of requirements that share the three letters of their ids."""

    id: str
    title: str


class CatalogueError(HarnessError):
    """A file of the catalogue is not as it must be.

    `file` is its name, `place` the requirement id and the key in it where they are known, `problem` says what
    was expected and what was found.
    """

    def __init__(self, file: str, place: str, problem: str) -> None:
        super().__init__(file, place, problem)
        self.file = file
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.problem) if part)


class UnknownRequirement(UsageError, ValueError):
    """A name is neither a requirement id nor a family; `guess` is the nearest that is, if one is near."""

    def __init__(self, name: str, guess: str | None) -> None:
        super().__init__(name, guess)
        self.name = name
        self.guess = guess

    def __str__(self) -> str:
        hint = f"did you mean {self.guess}? " if self.guess else ""
        return (
            f"expected a requirement id or a family, got {self.name!r}; {hint}"
            "`agent-conformance requirements` lists them all"
        )


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All requirements in the order of their ids, and their families. `load` makes one."""

    REVISION: ClassVar[int] = REVISION

    requirements: tuple[Requirement, ...]
    families: tuple[Family, ...]

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.requirements)

    def __len__(self) -> int:
        return len(self.requirements)

    def __contains__(self, id: object) -> bool:
        """Tell whether there is a requirement with this id."""
        return any(requirement.id == id for requirement in self.requirements)

    def __getitem__(self, id: str) -> Requirement:
        """Return the requirement with exactly this id, or raise `UnknownRequirement`."""
        for requirement in self.requirements:
            if requirement.id == id:
                return requirement
        raise self._unknown(id)

    def family(self, id: str) -> Family:
        """Return the family with exactly this id, such as "EVT", or raise `UnknownRequirement`."""
        for family in self.families:
            if family.id == id:
                return family
        raise self._unknown(id)

    def select(self, names: Iterable[str]) -> list[Requirement]:
        """Return the requirements that the names stand for, each once and in the order of their ids.

        A name is an id or a family, in upper or lower case. Raises `UnknownRequirement` for any other.
        """
        wanted = {name.strip().upper(): name for name in names}
        known = {key for requirement in self for key in (requirement.id, requirement.family)}
        for key, name in wanted.items():
            if key not in known:
                raise self._unknown(name)
        return [r for r in self if r.id in wanted or r.family in wanted]

    def _unknown(self, name: str) -> UnknownRequirement:
        known = [*(family.id for family in self.families), *(requirement.id for requirement in self)]
        # EVT-1 is as near to EVT-10 as to EVT-01, and nearly always means the latter.
        meant = _LONE_DIGIT.sub(r"0\1", name.strip().upper())
        near = difflib.get_close_matches(meant, known, n=1)
        return UnknownRequirement(name, near[0] if near else None)


@cache
def load() -> Catalogue:
    """Return the catalogue of this package. Raises `CatalogueError` if one of its files is not well made."""
    return read(files(__name__))


def read(directory: Traversable) -> Catalogue:
    """Read a catalogue from the TOML files of a directory. Raises `CatalogueError` at the first flaw."""
    families: list[Family] = []
    requirements: list[Requirement] = []
    for file in sorted(directory.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            family, members = _read_family(file.name, file.read_bytes())
            families.append(family)
            requirements += members
    if not families:
        raise CatalogueError(str(directory), "", "expected a TOML file for each family, found none")
    return Catalogue(
        requirements=tuple(sorted(requirements, key=lambda requirement: requirement.id)),
        families=tuple(families),
    )


def _read_family(file: str, content: bytes) -> tuple[Family, list[Requirement]]:
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # TOML itself forbids a table or a key to come twice: this is where a duplicate id ends up.
        raise CatalogueError(file, "", f"expected valid TOML with each id and key once: {error}") from error
    title = _text(file, "title", document.pop("title", None))
    id = _text(file, "family", document.pop("family", None))
    if not _FAMILY_ID.fullmatch(id) or file != f"{id.lower()}.toml":
        raise CatalogueError(
            file, "family", f"expected three capital letters that name the file in lower case, got {id!r}"
        )
    if not document:
        raise CatalogueError(file, "", f"expected at least one requirement [{id}-01], found none")
    return Family(id=id, title=title), [_requirement(file, id, key, table) for key, table in document.items()]


def _requirement(file: str, family: str, id: str, table: object) -> Requirement:
    form = _ID.fullmatch(id)
    if not form:
        raise CatalogueError(file, id, f"expected family, title, or an id of the form {family}-01")
    if form[1] != family:
        raise CatalogueError(file, id, f"expected an id of the family {family}, got one of {form[1]}")
    if not isinstance(table, dict):
        raise CatalogueError(file, id, f"expected a table [{id}], got {table!r}")
    allowed = [field for field in Requirement.__struct_fields__ if field not in ("id", "family")]
    for key in table:
        if key not in allowed:
            raise CatalogueError(file, f"{id}.{key}", f"unknown key, expected one of {', '.join(allowed)}")
    texts = {key: _text(file, f"{id}.{key}", table.get(key)) for key in ("statement", "rationale", "decided", "source")}
    return Requirement(
        id=id,
        family=family,
        level=_level(file, f"{id}.level", table.get("level")),
        since=_since(file, f"{id}.since", table.get("since")),
        capability=_capability(file, f"{id}.capability", table.get("capability")),
        **texts,
    )


def _text(file: str, place: str, value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text:
        raise CatalogueError(file, place, f"expected a text that is not empty, {_got(value)}")
    return text


def _level(file: str, place: str, value: object) -> Level:
    for level in Level:
        if value == level.value:
            return level
    raise CatalogueError(file, place, f"expected {' or '.join(Level)}, {_got(value)}")


def _since(file: str, place: str, value: object) -> int:
    if type(value) is int and 1 <= value <= REVISION:
        return value
    raise CatalogueError(file, place, f"expected a catalogue revision from 1 to {REVISION}, {_got(value)}")


def _capability(file: str, place: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and _CAPABILITY.fullmatch(value)):
        return value
    raise CatalogueError(file, place, f"expected a capability such as text_stream, {_got(value)}")


def _got(value: object) -> str:
    return "found nothing" if value is None else f"got {value!r}"

"""The whole source tree, as rules judge it."""

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import NamedTuple

from contracts.config import Config
from contracts.facts import Fact, FileFacts, Import, Mark, Marks
from contracts.modules import Modules
from contracts.tree import Tree


class Diagnostic(NamedTuple):
    """What ruff says about a line: `code` is the rule's."""

    path: str
    line: int
    code: str
    message: str


class Seen(NamedTuple):
    """An import in a file, with the absolute name of its module; None where it points above the top."""

    facts: FileFacts
    found: Import
    module: str | None


class Project:
    """All files with what is known of them, their modules, and what ruff said. `today` decides what is due."""

    def __init__(
        self, tree: Tree, files: list[FileFacts], config: Config, ruff: dict[str, list[Diagnostic]], today: date
    ) -> None:
        self.tree = tree
        self.files = files
        self.config = config
        self.modules = Modules(tree, files, config)
        self.ruff = ruff
        self.today = today

    @cached_property
    def imports(self) -> list[Seen]:
        """Every import of every file."""
        return [
            Seen(facts, found, self.modules.absolute(facts.path, found))
            for facts in self.files
            for found in facts.imports
        ]

    def facts(self, rule: str) -> Iterator[tuple[FileFacts, Fact]]:
        """Yield what a rule remembered of each file."""
        for facts in self.files:
            marks = facts.marks.get(rule)
            if marks is not None:
                for fact in marks.facts:
                    yield facts, fact

    def diagnostics(self, *codes: str) -> Iterator[Diagnostic]:
        """Yield what ruff said under these codes."""
        for code in codes:
            yield from self.ruff.get(code, ())

    def defined(self, symbol: str) -> Iterator[tuple[FileFacts, int]]:
        """Yield where modules define a name: a class, a function, or a value that is not another name."""
        for facts in self.files:
            for binding in facts.bindings:
                if binding.name == symbol and binding.kind != "import" and binding.made:
                    yield facts, binding.line
                    break


class Judgement:
    """What comes of one rule: its marks by file, and why nothing could be decided."""

    def __init__(self) -> None:
        self.exercised = 0
        self.failed: list[tuple[str, Mark]] = []
        self.noted: list[tuple[str, Mark]] = []
        self.undecided: str | None = None

    def take(self, path: str, marks: Marks) -> None:
        """Take over what was seen in one file."""
        self.exercised += marks.exercised
        self.failed += [(path, mark) for mark in marks.failed]
        self.noted += [(path, mark) for mark in marks.noted]

    def count(self, times: int = 1) -> None:
        """Count situations that could have shown a violation."""
        self.exercised += times

    def fail(self, path: str, line: int, message: str) -> None:
        """Report a violation."""
        self.failed.append((path, Mark(line, message)))

    def note(self, path: str, line: int, message: str) -> None:
        """Report what may be a violation."""
        self.noted.append((path, Mark(line, message)))

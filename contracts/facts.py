"""What is remembered of one file: small, so that it can be cached and sent between processes."""

import msgspec


class Import(msgspec.Struct, frozen=True, array_like=True):
    """One imported module, or one name of it.

    `module` is as written, without the dots that `level` counts; `name` is None for `import module`. An import is
    `lazy` inside a function, `guarded` where a failure is caught, `typing` where only type checkers see it. `statement`
    is the line that its statement begins in.
    """

    module: str
    level: int
    name: str | None
    alias: str | None
    line: int
    lazy: bool
    guarded: bool
    typing: bool
    statement: int = 0

    @property
    def kind(self) -> str:
        """Say when it runs, in words."""
        if self.typing:
            return "for type checking only"
        words = ["lazy, inside a function"] if self.lazy else ["at the top level"]
        return ", ".join([*words, "guarded by try"] if self.guarded else words)


class Binding(msgspec.Struct, frozen=True, array_like=True):
    """A name that a module binds: `kind` is class, function, value or import. `made` tells values from aliases."""

    name: str
    kind: str
    line: int
    made: bool = True


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What a rule saw at a line."""

    line: int
    message: str


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """Something that a rule wants to know of a file when it judges the whole: words of its own, at a line."""

    line: int
    words: tuple[str, ...]


class Marks(msgspec.Struct, array_like=True):
    """What a rule has to say about one file. `exercised` counts the places that could have shown a violation."""

    exercised: int = 0
    failed: list[Mark] = []
    noted: list[Mark] = []
    facts: list[Fact] = []

    def count(self, times: int = 1) -> None:
        """Count places that could have shown a violation."""
        self.exercised += times

    def fail(self, line: int, message: str) -> None:
        """Report a violation."""
        self.failed.append(Mark(line, message))

    def note(self, line: int, message: str) -> None:
        """Report what may be a violation: the rule cannot be sure."""
        self.noted.append(Mark(line, message))

    def fact(self, line: int, *words: str) -> None:
        """Remember something for `judge`."""
        self.facts.append(Fact(line, words))


class FileFacts(msgspec.Struct, array_like=True):
    """What is known of one file.

    `unread` says why it could not be read or parsed, and `unread_line` where. `dynamic` modules fill their namespace
    at run time; `extends_path` packages have parts elsewhere. `planted` are modules that it puts into `sys.modules`.
    """

    path: str
    is_test: bool
    lines: int = 0
    unread: str | None = None
    unread_line: int = 1
    unread_sure: bool = True
    imports: list[Import] = []
    bindings: list[Binding] = []
    exported: list[str] | None = None
    dynamic: bool = False
    extends_path: bool = False
    planted: list[str] = []
    warns_deprecated: bool = False
    marks: dict[str, Marks] = {}

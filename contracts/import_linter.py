"""The rules on imports as contract types of import-linter, for projects that run `lint-imports` already.

import-linter builds its graph of modules with grimp; names, missing modules and re-exports are not in it. So these
contracts read the root packages themselves, as `agent-conformance audit` does, and judge by the same rules.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

from contracts.audit import Options, audit
from contracts.config import Config, Deprecated, SingleSource, shown
from contracts.scan import CACHE


class _SourceContract(Contract):
    """A contract that is kept where the rules that it names find nothing in the root packages."""

    requirements: ClassVar[tuple[str, ...]] = ()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Audit the root packages. The graph is not needed."""
        names: list[str] = self.session_options["root_packages"]
        options = Options(cache=Path(CACHE), only=self.requirements)
        verdict = audit(_folders(names), self.config(tuple(names)), options).verdict
        lines = [f"{finding.location}: {finding.message}" for finding in verdict.findings]
        return ContractCheck(kept=not lines, warnings=list(verdict.harness_errors), metadata={"lines": lines})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a line for each violation: where it is, and what."""
        for line in check.metadata["lines"]:
            output.print_error(f"- {line}", bold=False)
        output.new_line()

    def config(self, first_party: tuple[str, ...]) -> Config:
        """Return the settings of the audit."""
        return Config(first_party=first_party)


class NoDanglingImports(_SourceContract):
    """Every module that is imported exists, and so does every name imported from it. It has no options."""

    type_name = "no_dangling_imports"
    requirements = ("SRC-01", "SRC-02")


class SingleSourceContract(_SourceContract):
    """Each symbol is defined in its module only.

    - symbols: the symbols by their full names, such as `shop.registry.Registry`.
    """

    type_name = "single_source"
    requirements = ("SRC-04",)
    symbols = fields.ListField(subfield=fields.StringField())

    def config(self, first_party: tuple[str, ...]) -> Config:
        """Return the settings of the audit: the symbols."""
        return Config(first_party=first_party, single_source=tuple(map(_owned, _texts(self.symbols))))


class CanonicalPath(SingleSourceContract):
    """Each symbol is imported from its module only, not through re-exports; the same option as `single_source`."""

    type_name = "canonical_path"
    requirements = ("SRC-05",)


class DeprecatedContract(_SourceContract):
    """Nothing uses what is deprecated.

    - deprecated: modules or symbols with what is to be used instead, such as `shop.old_mail -> shop.mail`.
    """

    type_name = "deprecated"
    requirements = ("SRC-03",)
    deprecated = fields.ListField(subfield=fields.StringField())

    def config(self, first_party: tuple[str, ...]) -> Config:
        """Return the settings of the audit: what is deprecated."""
        return Config(first_party=first_party, deprecated=tuple(map(_replaced, _texts(self.deprecated))))


def _folders(names: list[str]) -> list[Path]:
    """Return the folders of packages, which import-linter has found already."""
    folders: list[Path] = []
    for name in names:
        spec = find_spec(name)
        if spec is not None:
            folders += [shown(Path(folder)) for folder in spec.submodule_search_locations or ()]
    return folders


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value]


def _owned(symbol: str) -> SingleSource:
    module, _, name = symbol.rpartition(".")
    return SingleSource(symbol=name, module=module)


def _replaced(pair: str) -> Deprecated:
    name, _, replacement = pair.partition("->")
    return Deprecated(name=name.strip(), replacement=replacement.strip() or "nothing")

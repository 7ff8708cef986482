"""Which modules the files of a tree are, and which names each of them has."""

import os
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

import msgspec

from contracts.config import Config
from contracts.facts import FileFacts, Import
from contracts.tree import Tree

_GENERATED = ("_version", "version", "__version__", "_build", "_generated")
_GENERATED_ENDS = ("_pb2", "_pb2_grpc", "_generated")
_EVERY_MODULE_HAS = frozenset({
    "__name__", "__file__", "__doc__", "__path__", "__spec__", "__loader__", "__package__", "__dict__", "__builtins__",
})  # fmt: skip


class Module(msgspec.Struct, frozen=True):
    """A module: its file, where it has one that was read; a `package` has an `__init__`, a `namespace` has none."""

    name: str
    path: str | None
    package: bool = False
    namespace: bool = False


class Found(Enum):
    """Whether a module or a name is there."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"
    FOREIGN = "foreign"


class Modules:
    """The modules of a tree by their names. A file has more than one where it can be imported from several roots."""

    def __init__(self, tree: Tree, files: Iterable[FileFacts], config: Config) -> None:
        self.files = {facts.path: facts for facts in files}
        self.by_name: dict[str, Module] = {}
        self.names: dict[str, str] = {}
        self._config = config
        self._packages = {os.path.dirname(path) for path in self.files if os.path.basename(path) == "__init__.py"}
        self._packages |= {os.path.dirname(path) for path in tree.compiled if path.endswith("__init__.pyi")}
        roots = [str(Path(config.directory, root)) for root in config.roots]
        self._roots = {os.path.normpath(root) for root in roots} or set(self._guessed_roots(tree))
        for path in (*self.files, *tree.compiled):
            for root in sorted(self._roots, key=len):
                if root == "." or path.startswith(root + os.sep):
                    self._add(path, root)
        for facts in self.files.values():
            for name in facts.planted:
                self.by_name.setdefault(name, Module(name, None))
        self._own_packages()
        self._peopled = {
            name.rpartition(".")[0] for name, module in self.by_name.items() if module.path and not module.package
        }
        self.top = {name for name in self.by_name if "." not in name} - set(sys.stdlib_module_names)
        self.top |= set(config.first_party)

    def absolute(self, path: str, found: Import) -> str | None:
        """Return the absolute name of the module that an import in this file means; None above the top."""
        if not found.level:
            return found.module
        name = self.names.get(path)
        if name is None:
            return None
        parts = name.split(".") if name else []
        if not path.endswith("__init__.py"):
            parts = parts[:-1]
        up = found.level - 1
        if up >= len(parts) and up:
            return None
        kept = parts[: len(parts) - up] if up else parts
        return ".".join([*kept, found.module] if found.module else kept)

    def has(self, name: str) -> Found:
        """Tell whether there is a module of this absolute name."""
        if name in self.by_name:
            return Found.YES
        if name.partition(".")[0] not in self.top:
            return Found.FOREIGN
        parts = name.split(".")
        sure = parts[0] in self._config.first_party
        if not any(".".join(parts[:end]) in self.by_name for end in range(1, len(parts))):
            return Found.NO if sure else Found.FOREIGN
        deepest = parts[0]
        for end in range(1, len(parts)):
            module = self.by_name.get(".".join(parts[:end]))
            if module is None:
                break
            deepest = module.name
            facts = self.files.get(module.path or "")
            if facts is not None and (facts.extends_path or facts.unread):
                return Found.UNSURE
            if facts is not None and facts.dynamic and not module.package:
                return Found.UNSURE  # its __getattr__ may make it a package
            sure = sure or not module.namespace
        if not sure and deepest not in self._peopled:
            return Found.FOREIGN
        if not sure or parts[-1] in _GENERATED or parts[-1].endswith(_GENERATED_ENDS):
            return Found.UNSURE
        return Found.NO

    def offers(self, name: str, symbol: str, seen: frozenset[str] = frozenset()) -> Found:
        """Tell whether a module that there is has this name in it."""
        module = self.by_name[name]
        if f"{name}.{symbol}" in self.by_name or symbol in _EVERY_MODULE_HAS:
            return Found.YES
        if module.namespace:
            return Found.NO if name.partition(".")[0] in self._config.first_party else Found.UNSURE
        facts = self.files.get(module.path or "")
        if facts is None or facts.unread or facts.dynamic or facts.extends_path:
            return Found.UNSURE
        if any(binding.name == symbol for binding in facts.bindings) or symbol in (facts.exported or ()):
            return Found.YES
        for star in facts.imports:
            if star.name == "*" and not star.lazy:
                target = self.absolute(facts.path, star)
                if target is None or target not in self.by_name or target in seen:
                    return Found.UNSURE
                found = self.offers(target, symbol, seen | {name})
                if found is not Found.NO:
                    return found
        return Found.NO

    def origin(self, name: str, symbol: str, seen: frozenset[str] = frozenset()) -> str | None:
        """Follow re-exports to the module that a name of a module comes from; None where that cannot be told."""
        module = self.by_name.get(name)
        facts = self.files.get(module.path or "") if module is not None else None
        if facts is None or name in seen:
            return None
        if any(binding.name == symbol and binding.kind != "import" for binding in facts.bindings):
            return name
        for found in facts.imports:
            target = self.absolute(facts.path, found)
            if target is None or found.name is None:
                continue
            if (found.alias or found.name) == symbol:
                return self.origin(target, found.name, seen | {name}) or target
            if found.name == "*" and target in self.by_name and self.offers(target, symbol) is Found.YES:
                return self.origin(target, symbol, seen | {name})
        return None

    def same(self, name: str, other: str) -> bool:
        """Tell whether two names are those of one module."""
        here, there = self.by_name.get(name), self.by_name.get(other)
        return name == other or (here is not None and there is not None and here.path == there.path is not None)

    def _guessed_roots(self, tree: Tree) -> Iterator[str]:
        for path in tree.paths:
            folder = str(path) if path.is_dir() else str(path.parent)
            yield self._above_packages(folder)
            yield os.path.join(folder, "src") if folder != "." else "src"
        for project in tree.projects:
            if project in self._packages:
                continue  # a module of a package that happens to be called setup
            yield project
            yield os.path.join(project, "src") if project != "." else "src"

    def _above_packages(self, folder: str) -> str:
        while os.path.exists(os.path.join(folder, "__init__.py")):
            folder = os.path.dirname(folder) or (".." if folder == "." else ".")
            if folder in ("/", ".."):
                break
        return folder

    def _add(self, path: str, root: str) -> None:
        inner = path if root == "." else path[len(root) + 1 :]
        parts = inner.split(os.sep)
        parts[-1] = parts[-1].partition(".")[0]
        is_package = parts[-1] == "__init__"
        if is_package:
            parts.pop()
        if any(not part.isidentifier() for part in parts):
            return
        for end in range(1, len(parts)):
            folder = ".".join(parts[:end])
            self.by_name.setdefault(folder, Module(folder, None, namespace=True))
        name = ".".join(parts)
        python = path in self.files
        known = self.by_name.get(name)
        if name and (known is None or known.namespace or (python and known.path is None) or is_package > known.package):
            self.by_name[name] = Module(name, path if python else None, package=is_package)
        if python:
            self.names[path] = name

    def _own_packages(self) -> None:
        """Add packages below folders that are no roots, where their own files import them by that shorter name."""
        tops = {folder for folder in self._packages if os.path.dirname(folder) not in self._packages}
        for folder in sorted(tops):
            above, name = os.path.split(folder)
            if above in self._roots or name in self.by_name or name in sys.stdlib_module_names or not above:
                continue
            inner = [facts for path, facts in self.files.items() if path.startswith(folder + os.sep)]
            paths = {facts.path[len(above) + 1 :].removesuffix(".py").replace(os.sep, ".") for facts in inner}
            known = {path.removesuffix(".__init__") for path in paths}
            said = [
                f"{found.module}.{found.name or ''}" for facts in inner for found in facts.imports if not found.level
            ]
            if any(words.startswith(f"{name}.") and known & set(_heads(words)) for words in said):
                for facts in inner:
                    self._add(facts.path, above)


def _heads(words: str) -> Iterator[str]:
    """Yield what a dotted name may be below the first of its words: `a.b`, `a.b.c`, …"""
    parts = words.rstrip(".").split(".")
    return (".".join(parts[:end]) for end in range(2, len(parts) + 1))

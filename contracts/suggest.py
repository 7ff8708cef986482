"""A configuration proposed for a tree, from what looks as if it had one home, one instance, or a successor."""

import json
from collections import Counter
from collections.abc import Iterator

from contracts.facts import FileFacts
from contracts.project import Project

_COMMON = frozenset(
    {"Config", "Meta", "Settings", "State", "Type", "Context", "Result", "Options", "Response", "Request"}
)


def suggest(project: Project) -> str:
    """Return the text of a contracts.toml to be gone through by somebody who knows the tree."""
    lines = ["# Proposed by `agent-conformance audit --suggest`. Go through it: delete what is not meant so.", ""]
    lines += _settings(project)
    lines += _duplicated(project)
    lines += _deprecated(project)
    return "\n".join(lines).rstrip("\n") + "\n"


def _settings(project: Project) -> Iterator[str]:
    readers = Counter(project.modules.names.get(facts.path, facts.path) for facts, _ in project.facts("SRC-12"))
    if readers:
        (module, reads), *others = readers.most_common()
        yield f"# reads the environment {reads} times; {len(others)} other modules do, too"
        yield f"environment = {json.dumps(module)}"
        yield ""
    singletons = sorted({(fact.words[1], fact.words[0], facts.path) for facts, fact in project.facts("SRC-08")})
    if singletons:
        yield "# classes of which a getter keeps one instance in a global: keep those that hold what one user did"
        yield "per_user = ["
        yield from (f"    # {json.dumps(cls)},  # {getter} in {path}" for cls, getter, path in singletons)
        yield "]"
        yield ""


def _duplicated(project: Project) -> Iterator[str]:
    homes: dict[str, list[FileFacts]] = {}
    for facts in project.files:
        if not facts.is_test:
            for name in {b.name for b in facts.bindings if b.kind == "class"}:
                if not name.startswith("_") and name not in _COMMON:
                    homes.setdefault(name, []).append(facts)
    imported: dict[str, Counter[str]] = {}
    for _, found, module in project.imports:
        if found.name in homes and module in project.modules.by_name:
            imported.setdefault(found.name, Counter())[module or ""] += 1
    for name, files in sorted(homes.items()):
        if len(files) < 2 or len(imported.get(name, ())) < 2:
            continue
        modules = {project.modules.names.get(facts.path, "") for facts in files}
        used = [(count, module) for module, count in imported[name].items() if module in modules]
        if used:
            count, module = max(used)
            yield f"# defined in {len(files)} modules: {', '.join(sorted(modules))}; imported {count} times from here"
            yield "[[single_source]]"
            yield f"symbol = {json.dumps(name)}"
            yield f"module = {json.dumps(module)}"
            yield ""


def _deprecated(project: Project) -> Iterator[str]:
    for facts in project.files:
        made = [binding for binding in facts.bindings if binding.kind != "import" and binding.name != "__all__"]
        if not facts.warns_deprecated or made or facts.is_test:
            continue
        targets = [project.modules.absolute(facts.path, found) for found in facts.imports if found.name is not None]
        own = [target for target in targets if target in project.modules.by_name]
        if own:
            yield "# only hands on names, and warns that it is deprecated"
            yield "[[deprecated]]"
            yield f"name = {json.dumps(project.modules.names.get(facts.path, facts.path))}"
            yield f"replacement = {json.dumps(own[0])}"
            yield ""

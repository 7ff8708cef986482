"""The status of each module: found, missing, deprecated, duplicated. In Markdown."""

from collections import Counter

from contracts.modules import Found
from contracts.project import Project

_ORDER = ("missing", "deprecated", "duplicated", "found")


def render(project: Project) -> str:
    """Render the table of modules, what is wrong first."""
    rows = sorted(_rows(project), key=lambda row: (_ORDER.index(row[1]), row[0]))
    counts = Counter(row[1] for row in rows)
    lines = [
        "# Modules",
        "",
        ", ".join(f"{counts[status]:,} {status}" for status in _ORDER) + ".",
        "",
        "| Module | Status | File | Imported by | Remark |",
        "| --- | --- | --- | ---: | --- |",
    ]
    lines += [f"| `{name}` | {status} | {path} | {users:,} | {remark} |" for name, status, path, users, remark in rows]
    return "\n".join(lines) + "\n"


def _rows(project: Project) -> list[tuple[str, str, str, int, str]]:
    modules = project.modules
    users: dict[str, set[str]] = {}
    for facts, found, module in project.imports:
        if module:
            users.setdefault(module, set()).add(facts.path)
            if found.name and f"{module}.{found.name}" in modules.by_name:
                users.setdefault(f"{module}.{found.name}", set()).add(facts.path)
    rows = [
        (name, "missing", "", len(users[name]), f"imported in {min(users[name])}")
        for name in sorted(users.keys() - modules.by_name.keys())
        if modules.has(name) is Found.NO
    ]
    twice = _twice(project)
    replaced = {entry.name: entry.replacement for entry in project.config.deprecated}
    for facts in project.files:
        name = modules.names.get(facts.path, "")
        if not name or facts.is_test:
            continue
        status, remark = "found", facts.unread or ""
        if name in replaced or facts.warns_deprecated:
            status, remark = (
                "deprecated",
                f"use {replaced[name]}" if name in replaced else "warns that it is deprecated",
            )
        elif facts.path in twice:
            status, remark = "duplicated", twice[facts.path]
        rows.append((name, status, facts.path, len(users.get(name, ())), remark))
    return rows


def _twice(project: Project) -> dict[str, str]:
    """Return the files that define what belongs to another module."""
    twice = {}
    for entry in project.config.single_source:
        home = project.modules.by_name.get(entry.module)
        for facts, _ in project.defined(entry.symbol):
            if not facts.is_test and (home is None or facts.path != home.path):
                twice[facts.path] = f"defines {entry.symbol}, which belongs to {entry.module}"
    return twice

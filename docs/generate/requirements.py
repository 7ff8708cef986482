"""The pages on requirements: what each says, why, how it is decided, and the examples that its check is tested by."""

from collections.abc import Iterator

from conformance.catalogue import Family, Requirement, load
from conformance.checks import decided
from contracts.rule import Rule, rules
from docs.generate.ag_ui_examples import shown_ag_ui
from docs.generate.examples import Shown, shown
from docs.generate.markdown import code, escaped, table

_HEAD = """# Requirements

What the kit judges by: revision {revision} of the catalogue, {count} requirements. Ids never change and are never
used again. A MUST that is violated fails the run; a SHOULD does with `--strict`. `agent-conformance requirements ID`
tells the same in a terminal.

"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the list, and a page for each requirement."""
    catalogue = load()
    by_id = shown() | shown_ag_ui()
    yield (
        "reference/requirements/index.md",
        _HEAD.format(revision=catalogue.REVISION, count=len(catalogue))
        + "".join(
            _family(family, [each for each in catalogue if each.family == family.id]) for family in catalogue.families
        ),
    )
    for requirement in catalogue:
        yield f"reference/requirements/{requirement.id}.md", _page(requirement, by_id.get(requirement.id, []))


def _family(family: Family, members: list[Requirement]) -> str:
    rows = [(f"[{each.id}]({each.id}.md)", each.level.value, escaped(each.statement)) for each in members]
    return f"## {family.id}: {family.title}\n\n{table(('id', 'level', 'says'), rows)}\n"


def _page(requirement: Requirement, examples: list[Shown]) -> str:
    applies = f", for targets with the capability `{requirement.capability}`" if requirement.capability else ""
    parts = [
        f"# {requirement.id}: {escaped(requirement.statement)}",
        f"**{requirement.level}**{applies}",
        f"## Why\n\n{escaped(requirement.rationale)}",
        f"## How it is decided\n\n{escaped(requirement.decided)}",
        *(_example(example) for example in examples),
        *(_rule(rule) for rule in rules() if rule.id == requirement.id),
        f"## Source\n\n{escaped(requirement.source)} (in the catalogue since revision {requirement.since})",
        "## Repeat\n\n" + code(f"agent-conformance verify --target target.toml --only {requirement.id}", "console")
        if requirement.id in decided()
        else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _example(example: Shown) -> str:
    title = "Good" if example.kind == "good" else "Bad"
    text = f"## {title}: {escaped(example.title)}\n\n{code(example.frames)}"
    if example.message:
        told = [("violated", example.message), ("expected", example.expected), ("actual", example.actual)]
        text += "\n" + table(("", "what the kit says"), [(name, escaped(said)) for name, said in told])
    return text


def _rule(rule: Rule) -> str:
    parts = [f"## How to repair it\n\n{escaped(rule.fix)}"]
    if rule.options:
        parts.append(f"Settings: {', '.join(f'`{option}`' for option in rule.options)}.")
    for title, example in (("Good", rule.good), ("Bad", rule.bad)):
        parts.append(f"## {title}\n\n{code(example.strip(), 'python')}")
    return "\n\n".join(parts)

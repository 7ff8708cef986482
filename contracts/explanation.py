"""How a violation of a requirement on source is repaired, for readers: the fix, the settings, the examples."""

import textwrap

from contracts.rule import Rule, rules

_WIDTH = 86


def repair(id: str) -> str:
    """Return the paragraphs on a requirement; an empty text where no rule on source decides it."""
    rule = next((rule for rule in rules() if rule.id == id), None)
    return "" if rule is None else "\n" + "\n".join(_paragraphs(rule))


def _paragraphs(rule: Rule) -> list[str]:
    parts = [f"How to repair it\n{_filled(rule.fix)}\n"]
    if rule.options:
        parts.append(f"Settings (contracts.toml, or [tool.agent-conformance])\n{_filled(', '.join(rule.options))}\n")
    if rule.ruff:
        parts.append(f"Taken from ruff\n{_filled(', '.join(rule.ruff))}\n")
    for title, example in (("Bad", rule.bad), ("Good", rule.good)):
        parts.append(f"{title}\n{textwrap.indent(example.strip(), '  ', lambda line: bool(line.strip()))}\n")
    return parts


def _filled(text: str) -> str:
    return textwrap.indent(textwrap.fill(text, _WIDTH, break_on_hyphens=False), "  ")

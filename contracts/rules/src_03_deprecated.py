"""SRC-03: nothing uses a deprecated or removed module or symbol."""

import ast

from contracts.config import Config, Deprecated
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted


def look(source: Source, config: Config, marks: Marks) -> None:
    """Remember each use of a name through its module that ends like a deprecated one."""
    ends = {entry.name.rpartition(".")[2] for entry in config.deprecated}
    if not ends:
        return
    aliases: dict[str, str] = {}
    for node, _ in source.index.of(ast.Import):
        for name in node.names:
            aliases[name.asname or name.name.partition(".")[0]] = (
                name.name if name.asname else name.name.partition(".")[0]
            )
    for found, _ in source.index.of(ast.ImportFrom):
        if not found.level:
            aliases |= {name.asname or name.name: f"{found.module}.{name.name}" for name in found.names}
    for attribute, _ in source.index.of(ast.Attribute):
        root, _, rest = dotted(attribute).partition(".")
        if root in aliases and ends & set(rest.split(".")):
            marks.fact(attribute.lineno, f"{aliases[root]}.{rest}")


def judge(project: Project, judgement: Judgement) -> None:
    """Hold imports and uses against the deprecated names."""
    entries = project.config.deprecated
    judgement.count(len(entries))
    for facts, found, module in project.imports:
        if not module:
            continue
        full = f"{module}.{found.name}" if found.name not in (None, "*") else module
        _report(project, judgement, facts.path, found.line, full)
    for facts, fact in project.facts(RULE.id):
        _report(project, judgement, facts.path, fact.line, fact.words[0])


def _report(project: Project, judgement: Judgement, path: str, line: int, name: str) -> None:
    for entry in project.config.deprecated:
        if not (name == entry.name or name.startswith(f"{entry.name}.")) or _own(project, path, entry):
            continue
        due = entry.until is None or entry.until <= project.today
        report = judgement.fail if due else judgement.note
        report(
            path, line, f"{entry.name} is deprecated{'' if due else f' from {entry.until} on'}: use {entry.replacement}"
        )
        return


def _own(project: Project, path: str, entry: Deprecated) -> bool:
    """Tell whether a file is the deprecated module itself, or lies in it."""
    here = project.modules.names.get(path, "")
    return here == entry.name or here.startswith(f"{entry.name}.")


RULE = Rule(
    id="SRC-03",
    expected="the replacement that the configuration names",
    fix="Use the replacement, then delete what is deprecated.",
    unknown="no deprecated name is listed ([[deprecated]] name, replacement)",
    options=("deprecated",),
    look=look,
    judge=judge,
    bad="""
--- contracts.toml
deprecated = [
  { name = "shop.old_mail", replacement = "shop.mail" },
  { name = "shop.orders.place", replacement = "shop.orders.submit" },
]
--- shop/__init__.py
--- shop/orders.py
def place(): ...
--- shop/main.py
import shop.old_mail  # wrong
from shop import old_mail as mail  # wrong
from shop.orders import place  # wrong
from shop import orders

def run():
    orders.place()  # wrong
""",
    good="""
--- contracts.toml
deprecated = [
  { name = "shop.old_mail", replacement = "shop.mail" },
  { name = "shop.orders.place", replacement = "shop.orders.submit", until = 2999-01-01 },
]
--- shop/__init__.py
--- shop/old_mail/__init__.py
from shop.old_mail.smtp import send
--- shop/old_mail/smtp.py
def send(): ...
--- shop/main.py
from shop import mail, orders
orders.place()
""",
)

"""SRC-01: every first-party import resolves."""

from contracts.modules import Found
from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Look for the module of each import."""
    for facts, found, module in project.imports:
        if module is None:
            judgement.note(
                facts.path, found.statement, f"{'.' * found.level}{found.module} points above the top of the tree"
            )
            continue
        there = project.modules.has(module) if module else Found.YES
        if there is Found.FOREIGN:
            continue
        judgement.count()
        if there is Found.NO:
            judgement.fail(facts.path, found.statement, f"there is no module {module}; imported {found.kind}")
        elif there is Found.UNSURE:
            judgement.note(
                facts.path, found.statement, f"found no module {module}, which may be made or installed elsewhere"
            )


RULE = Rule(
    id="SRC-01",
    expected="a module of this tree",
    fix="Import the module from where it is now, or remove the import and what needs it.",
    unknown="nothing in the tree imports a module of its own",
    options=("roots", "first_party"),
    judge=judge,
    bad="""
--- shop/__init__.py
--- shop/orders.py
from shop.gone import Order  # wrong
from . import orders
from .lost import (  # wrong
    orders as again,
    more,
)

def send():
    import shop.mail.smtp  # wrong

try:
    from shop.fast import encode  # wrong
except ImportError:
    encode = None
""",
    good="""
--- shop/__init__.py
--- shop/mail/smtp.py
--- shop/orders.py
import json
import redis.asyncio
from shop import mail
from .mail import smtp

def send():
    import shop.mail.smtp
""",
)

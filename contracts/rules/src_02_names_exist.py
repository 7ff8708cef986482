"""SRC-02: every name imported from a first-party module exists there."""

from contracts.modules import Found
from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Look for each imported name in the module that it is imported from."""
    modules = project.modules
    for facts, found, module in project.imports:
        if not module or found.name in (None, "*") or module not in modules.by_name:
            continue
        if module.partition(".")[0] not in modules.top:
            continue
        assert found.name is not None
        there = modules.offers(module, found.name)
        if there is Found.UNSURE:
            continue
        judgement.count()
        if there is Found.NO:
            judgement.fail(facts.path, found.line, f"{module} has no {found.name}; imported {found.kind}")


RULE = Rule(
    id="SRC-02",
    expected="a name that the module binds",
    fix="Import the name that the module has now, or bring the name back.",
    unknown="nothing in the tree imports a name from a module of its own",
    options=("roots", "first_party"),
    judge=judge,
    bad="""
--- shop/__init__.py
from shop.orders import Order
--- shop/orders.py
class Order: ...
--- shop/mail.py
from shop import Order, Invoice  # wrong
from shop.orders import (
    Order,
    OrderError,  # wrong
)
""",
    good="""
--- shop/__init__.py
from shop.orders import *
--- shop/lazy.py
def __getattr__(name): ...
--- shop/orders.py
class Order: ...
if True:
    LIMIT = 1
first, *rest = 1, 2
--- shop/mail.py
from shop import Order, orders
from shop.lazy import Anything
from shop.orders import LIMIT, first, rest
""",
)

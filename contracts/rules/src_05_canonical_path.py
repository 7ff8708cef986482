"""SRC-05: a single-source symbol is imported from its canonical path only."""

from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Compare the path of each import of a listed symbol with the canonical one."""
    entries = {entry.symbol: entry.module for entry in project.config.single_source}
    modules = project.modules
    for facts, found, module in project.imports:
        canonical = entries.get(found.name or "")
        if canonical is None or not module or module not in modules.by_name:
            continue
        if modules.same(module, canonical):
            judgement.count()
            continue
        origin = modules.origin(module, found.name or "")
        if origin is not None and modules.same(origin, canonical):
            judgement.count()
            judgement.fail(facts.path, found.line, f"{found.name} is imported from {module}; its path is {canonical}")


RULE = Rule(
    id="SRC-05",
    expected="an import from the module that owns the symbol",
    fix="Import the symbol from the module that defines it.",
    unknown="nothing imports a single-source symbol ([[single_source]] symbol, module)",
    options=("single_source",),
    judge=judge,
    bad="""
--- contracts.toml
single_source = [{ symbol = "Registry", module = "shop.registry" }]
--- shop/__init__.py
from shop.registry import Registry
--- shop/registry.py
class Registry: ...
--- shop/orders.py
from shop import Registry  # wrong

def order():
    from . import Registry as Again  # wrong
""",
    good="""
--- contracts.toml
single_source = [{ symbol = "Registry", module = "shop.registry" }]
--- shop/__init__.py
from shop.registry import Registry
--- shop/registry.py
class Registry: ...
--- shop/orders.py
from shop.registry import Registry
from elsewhere import Registry as Other
""",
)

"""SRC-04: a single-source symbol is defined in one module only."""

from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Look for definitions of each listed symbol outside of its module."""
    modules = project.modules
    for entry in project.config.single_source:
        judgement.count()
        home = modules.by_name.get(entry.module)
        at_home = False
        for facts, line in project.defined(entry.symbol):
            if home is not None and facts.path == home.path:
                at_home = True
            elif facts.is_test:
                judgement.note(
                    facts.path, line, f"{entry.symbol} is defined in a test, too; it belongs to {entry.module}"
                )
            else:
                judgement.fail(facts.path, line, f"{entry.symbol} is defined again; it belongs to {entry.module}")
        if home is None or home.path is None:
            judgement.fail(project.config.file, 1, f"{entry.module} of {entry.symbol} is no module here")
        elif not at_home and not project.modules.files[home.path].dynamic:
            judgement.fail(home.path, 1, f"{entry.module} does not define {entry.symbol}, which belongs to it")


RULE = Rule(
    id="SRC-04",
    expected="one definition, in the module that owns the symbol",
    fix="Delete the second definition and import the first.",
    unknown="no single-source symbol is listed ([[single_source]] symbol, module)",
    options=("single_source",),
    judge=judge,
    bad="""
--- contracts.toml
single_source = [{ symbol = "Registry", module = "shop.registry" }, { symbol = "LIMIT", module = "shop.limits" }]
--- shop/__init__.py
--- shop/registry.py
class Registry: ...
--- shop/orders.py
class Registry: ...  # wrong
--- shop/limits.py
OTHER = 1  # wrong
""",
    good="""
--- contracts.toml
single_source = [{ symbol = "Registry", module = "shop.registry" }]
--- shop/__init__.py
--- shop/registry.py
class Registry: ...
--- shop/orders.py
from shop.registry import Registry

def order():
    class Registry: ...
""",
)

"""SRC-10: layers hold, and there are no cycles."""

from contracts.cycles import cycles
from contracts.project import Judgement, Project, Seen
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Hold the graph of imports against the layers, and look for cycles among imports at module level."""
    ranks = {
        module.strip(): rank
        for rank, layer in enumerate(reversed(project.config.layers))
        for module in layer.split("|")
        if module.strip()
    }
    graph: dict[str, dict[str, Seen]] = {}
    for seen in project.imports:
        target = _target(project, seen)
        importer = project.modules.names.get(seen.facts.path)
        if target is None or not importer or importer == target or seen.found.typing or seen.facts.is_test:
            continue
        judgement.count()
        _against_layers(seen, importer, target, ranks, judgement)
        if not seen.found.lazy:
            graph.setdefault(importer, {}).setdefault(target, seen)
    for cycle in cycles(graph):
        first = graph[cycle[0]][cycle[1]]
        judgement.fail(
            first.facts.path, first.found.statement, f"a cycle of imports: {' -> '.join([*cycle, cycle[0]])}"
        )


def _target(project: Project, seen: Seen) -> str | None:
    """Return the module that an import loads: a submodule where a name is one."""
    modules = project.modules
    if not seen.module or seen.module.partition(".")[0] not in modules.top:
        return None
    whole = f"{seen.module}.{seen.found.name}"
    name = whole if whole in modules.by_name else seen.module
    module = modules.by_name.get(name)
    return modules.names.get(module.path) if module is not None and module.path else None


def _against_layers(seen: Seen, importer: str, target: str, ranks: dict[str, int], judgement: Judgement) -> None:
    here, there = _layer(importer, ranks), _layer(target, ranks)
    if here is None or there is None or here == there:
        return
    if ranks[here] < ranks[there]:
        judgement.fail(seen.facts.path, seen.found.statement, f"{importer} imports {target}: {here} is below {there}")
    elif ranks[here] == ranks[there]:
        judgement.fail(
            seen.facts.path, seen.found.statement, f"{importer} imports {target}: {here} stands beside {there}"
        )


def _layer(module: str, ranks: dict[str, int]) -> str | None:
    """Return the layer that a module belongs to: the longest that its name begins with."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        if name in ranks:
            return name
    return None


RULE = Rule(
    id="SRC-10",
    expected="imports that go down, and come back nowhere",
    fix="Move what both modules need into a module below both; or let the upper one hand it down.",
    unknown="no module of the tree imports another",
    options=("layers",),
    judge=judge,
    bad="""
--- contracts.toml
layers = ["shop.web | shop.batch", "shop.orders", "shop.store"]
--- shop/__init__.py
--- shop/web.py
import shop.orders
from shop import batch  # wrong
--- shop/batch.py
--- shop/orders.py
import shop.web  # wrong
--- shop/store.py
def load():
    from shop.orders import order  # wrong
--- shop/a.py
import shop.b  # wrong
--- shop/b.py
from shop.c import name
--- shop/c.py
from shop import a
name = 1
""",
    good="""
--- contracts.toml
layers = ["shop.web", "shop.orders"]
--- shop/__init__.py
from shop.web import page
--- shop/web.py
from typing import TYPE_CHECKING
from shop import orders
page = 1
--- shop/orders.py
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from shop.web import page
--- shop/a.py
import shop.b
--- shop/b.py
def later():
    import shop.a
""",
)

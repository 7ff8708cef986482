"""SRC-11: imports are absolute."""

from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about relative imports."""
    top = project.modules.top
    statements: dict[tuple[str, int], tuple[int, str]] = {}
    for facts, found, _ in project.imports:
        judgement.count(bool(found.level) or found.module.partition(".")[0] in top)
        statements[facts.path, found.line] = (found.statement, f"{'.' * found.level}{found.module}")
    for one in project.diagnostics(*RULE.ruff):
        line, written = statements.get((one.path, one.line), (one.line, "."))
        judgement.fail(one.path, line, f"the import is relative: {written}")


RULE = Rule(
    id="SRC-11",
    expected="an import that names the module in full",
    fix="Write the module's full name; `ruff check --select TID252 --fix` does it.",
    unknown="nothing in the tree imports a module of its own",
    ruff=("TID252",),
    judge=judge,
    bad="""
--- shop/__init__.py
--- shop/orders.py
from . import mail  # wrong
from .mail import send  # wrong
--- shop/mail.py
def send(): ...
""",
    good="""
--- shop/__init__.py
--- shop/orders.py
from shop import mail
--- shop/mail.py
""",
)

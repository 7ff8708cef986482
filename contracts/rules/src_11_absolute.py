"""SRC-11: imports are absolute."""

from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about relative imports."""
    told = {(facts.path, found.line, "." * found.level) for facts, found, _ in project.imports() if found.level}
    top = project.modules.top
    for facts in project.files:
        judgement.count(sum(bool(i.level) or i.module.partition(".")[0] in top for i in facts.imports))
    lines = {(path, line): dots for path, line, dots in told}
    for one in project.diagnostics(*RULE.ruff):
        dots = lines.get((one.path, one.line), ".")
        judgement.fail(one.path, one.line, f"the import is relative ({dots})")


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

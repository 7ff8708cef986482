"""SRC-15: every file parses."""

from contracts.project import Judgement, Project
from contracts.rule import Rule


def judge(project: Project, judgement: Judgement) -> None:
    """Report the files that could not be read or parsed."""
    for facts in project.files:
        judgement.count()
        if facts.unread:
            report = judgement.fail if facts.unread_sure else judgement.note
            report(facts.path, facts.unread_line, f"{facts.unread}; other rules do not see this file")


RULE = Rule(
    id="SRC-15",
    expected="a file that Python can parse",
    fix="Repair the file, or delete it if nothing needs it.",
    unknown="the tree holds no Python file",
    options=("exclude", "max_bytes"),
    judge=judge,
    bad="""
--- shop/orders.py
def order(:  # wrong
    return 1
--- shop/old.py
print "Python 2"  # wrong
--- shop/page.py
name = "{{ shop.name }}"
""",
    good="""
--- shop/orders.py
def order():
    return 1
--- shop/empty.py
""",
)

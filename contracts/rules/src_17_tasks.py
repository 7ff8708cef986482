"""SRC-17: a background task is kept and awaited, not discarded."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import last_word


def look(source: Source, config: Config, marks: Marks) -> None:
    """Count the tasks that are made."""
    if not source.is_test:
        marks.count(
            sum(last_word(call.func) in ("create_task", "ensure_future") for call, _ in source.index.of(ast.Call))
        )


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about tasks that nobody keeps."""
    for one in project.diagnostics(*RULE.ruff):
        if not project.modules.files[one.path].is_test:
            judgement.fail(one.path, one.line, "a task is started and not kept")


RULE = Rule(
    id="SRC-17",
    expected="a task that somebody keeps and awaits",
    fix="Keep the task where its owner lives (a task group, a set that it leaves when done), and await it at the end.",
    unknown="no task is started anywhere",
    ruff=("RUF006",),
    look=look,
    judge=judge,
    bad="""
--- shop/events.py
import asyncio

async def start(work):
    asyncio.create_task(work())  # wrong
    asyncio.ensure_future(work())  # wrong
""",
    good="""
--- shop/events.py
import asyncio

async def start(work, tasks):
    task = asyncio.create_task(work())
    tasks.add(task)
    async with asyncio.TaskGroup() as group:
        group.create_task(work())
""",
)

"""SRC-09: a required collaborator is not None."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import defaults, is_none, last_word


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at what is passed for, assigned to, and the default of each listed name."""
    names = set(config.required)
    if not names or source.is_test:
        return
    for call, _ in source.index.of(ast.Call):
        for keyword in call.keywords:
            if keyword.arg in names:
                marks.count()
                if is_none(keyword.value):
                    marks.fail(keyword.value.lineno, f"None is passed for {keyword.arg}")
    for function, _ in source.index.functions():
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if argument.arg in names:
                marks.count()
        for parameter, default in defaults(function):
            if parameter.arg in names and is_none(default):
                marks.fail(parameter.lineno, f"None is the default of {parameter.arg} in {function.name}")
    for node, _ in source.index.assignments():
        for target in node.targets:
            if isinstance(target, ast.Name | ast.Attribute) and last_word(target) in names and node.value is not None:
                marks.count()
                if is_none(node.value):
                    marks.fail(node.line, f"None is assigned to {last_word(target)}")


RULE = Rule(
    id="SRC-09",
    expected="the collaborator itself",
    fix="Make the parameter required and pass the real one; in a test, a working double.",
    unknown="no required collaborator is listed, or none is named anywhere (required)",
    options=("required",),
    look=look,
    bad="""
--- contracts.toml
required = ["reliability_manager"]
--- shop/events.py
class Stream:
    def __init__(self, reliability_manager=None):  # wrong
        self.reliability_manager = None  # wrong

stream = Stream(reliability_manager=None)  # wrong
""",
    good="""
--- contracts.toml
required = ["reliability_manager"]
--- shop/events.py
class Stream:
    def __init__(self, reliability_manager, name=None):
        self.reliability_manager = reliability_manager
""",
)

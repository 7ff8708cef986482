"""SRC-06: no literal None is passed, or is the default, for an identity parameter."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, Place, defaults, dotted, is_none, last_word

_MOST_PARAMETERS = 12


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at keywords and defaults; remember parameters and what is None by position."""
    if source.is_test:
        return
    names = set(config.identity)
    for function, place in source.index.functions():
        _signature(function, place, names, marks)
    for call, place in source.index.of(ast.Call):
        for keyword in call.keywords:
            if keyword.arg in names:
                marks.count()
                if is_none(keyword.value):
                    marks.fail(keyword.value.lineno, f"None is passed for {keyword.arg}")
        for position, argument in enumerate(call.args[:_MOST_PARAMETERS]):
            if isinstance(argument, ast.Starred):
                break
            if is_none(argument):
                owner = place.class_ or next((p.class_ for p in place if isinstance(p.node, Function)), None)
                marks.fact(argument.lineno, "None", dotted(call.func), str(position), owner.name if owner else "")


def _signature(function: Function, place: Place, names: set[str], marks: Marks) -> None:
    stub = any(last_word(decorator) == "overload" for decorator in function.decorator_list)
    for parameter, default in defaults(function):
        if parameter.arg in names and not stub:
            marks.count()
            if is_none(default):
                marks.fail(parameter.lineno, f"None is the default of {parameter.arg} in {function.name}")
    parameters = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    owner = place.class_
    if owner is not None and not any(dotted(d).endswith("staticmethod") for d in function.decorator_list):
        parameters = parameters[1:]
    marks.fact(function.lineno, "def", function.name, owner.name if owner else "", *parameters[:_MOST_PARAMETERS])


def judge(project: Project, judgement: Judgement) -> None:
    """Hold what is None by position against the parameters of the functions that may be meant."""
    known: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    for facts, fact in project.facts(RULE.id):
        if fact.words[0] == "def":
            name, owner, *parameters = fact.words[1:]
            known.setdefault(owner if name == "__init__" else name, []).append((facts.path, owner, tuple(parameters)))
    identity = set(project.config.identity)
    for facts, fact in project.facts(RULE.id):
        if fact.words[0] != "None":
            continue
        callee, position, owner = fact.words[1], int(fact.words[2]), fact.words[3]
        found = known.get(callee.rpartition(".")[2], [])
        if callee.startswith(("self.", "cls.")) and callee.count(".") == 1:
            own = [one for one in found if one[:2] == (facts.path, owner)]
            found = own or found
        meant = {parameters[position] if position < len(parameters) else "" for _, _, parameters in found}
        if len(meant) == 1 and meant <= identity:
            judgement.count()
            judgement.fail(facts.path, fact.line, f"None is passed for {meant.pop()} of {callee.removeprefix('?.')}")
        elif meant & identity and "." in callee:
            judgement.note(
                facts.path, fact.line, f"None may be passed for {min(meant & identity)} of {callee.removeprefix('?.')}"
            )


RULE = Rule(
    id="SRC-06",
    expected="the identity of somebody in particular",
    fix="Make the parameter required, and hand the identity on from where the request came in.",
    unknown="no identity parameter is named anywhere",
    options=("identity",),
    look=look,
    judge=judge,
    bad="""
--- shop/events.py
def publish(event, run_id=None):  # wrong
    send(event, user_id=None)  # wrong

class Stream:
    def open(self, name, run_id): ...

def begin(stream):
    stream.open("orders", None)  # wrong
""",
    good="""
--- shop/events.py
def publish(event, run_id, note=None):
    send(event, user_id=event.user_id, note=None)

class Stream:
    def open(self, name, run_id): ...

def begin(stream, run_id):
    stream.open(None, run_id)
--- tests/test_events.py
def test_refused():
    publish(1, run_id=None)
""",
)

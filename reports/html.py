"""The verdict as one HTML file that needs nothing else: report.html.

The page stands in `templates/`. Every value that the template puts in is made visible and then escaped; the page's
policy (CSP) allows its own script by hash and no request at all.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.verdict import Finding, Verdict, Witness
from reports import charts, outline, phrases, timeline
from reports.document import Document
from reports.scene import Scene, scenes
from reports.visible import block, one_line, pretty

_BRIEF = 300
_TEXT = 8_000
_FRAME = 4_000
_TOKEN = range(6, 200)
_MOST_FINDINGS = 4


def render(verdict: Verdict, history: Path | None = None) -> str:
    """Render a verdict as a self-contained HTML document; timelines are drawn from its `history`, if there is one."""
    environment = _environment()
    script = _source(environment, "report.js")
    return environment.get_template("report.html.jinja").render(
        verdict=verdict,
        families=outline.families(verdict),
        violated=outline.violated(verdict),
        warnings=outline.warnings(verdict),
        scenes=scenes(verdict, history),
        most_findings=_MOST_FINDINGS,
        style=_source(environment, "report.css"),
        script=script,
        script_hash=_hash(script),
    )


def render_document(document: Document) -> str:
    """Render a report of sections and tables as a self-contained HTML document."""
    environment = _environment()
    template = environment.get_template("stability.html.jinja")
    return template.render(document=document, style=_source(environment, "report.css"))


def picture(template: str, **values: object) -> str:
    """Render an SVG template by itself."""
    return _environment().get_template(template).render(**values) + "\n"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    environment.filters |= {
        "brief": _brief,
        "duration": phrases.duration,
        "measured": phrases.measured,
        "number": "{:,}".format,
        "rationale": outline.rationale,
    }
    environment.globals |= {
        "blamed": timeline.blamed,
        "charts": charts.charts,
        "courses": charts.courses,
        "drawing": _drawing,
        "environment": phrases.environment,
        "framed": _framed,
        "letters": timeline.letters,
        "narrowed": phrases.narrowed,
        "objective": phrases.objective,
        "occurrences": phrases.occurrences,
        "setting": outline.setting,
        "whose": _whose,
        "why": phrases.why,
        "words": phrases.WORDS,
    }
    return environment


def _fit(value: object) -> object:
    """Make a value fit to be put into the page, unless it is markup of the page's own."""
    return value if isinstance(value, Markup) else block(str(value), limit=_TEXT)


def _brief(text: str) -> str:
    return one_line(text, limit=_BRIEF)


def _drawing(scene: Scene) -> timeline.Timeline:
    return timeline.Drawing(scene).timeline()


def _whose(witness: Witness, scene: Scene | None) -> str | None:
    """Return whose operation a witness is: what it says, else the user of its connection."""
    line = scene.lines.get(witness.conn) if scene and witness.conn is not None else None
    return witness.user or (line.user if line else None)


def _framed(witness: Witness, finding: Finding, scene: Scene | None) -> Iterator[tuple[Markup, bool]]:
    """Cut a witness' frame, indented where it is JSON, at what was seen in it: each part, and whether it is that.

    The parts are fit already: `_fit` would take their escapes for length.
    """
    text = pretty(scene.frames.get(witness.line, witness.text) if scene else witness.text, limit=_FRAME)
    token = one_line(finding.actual, limit=_BRIEF)
    parts = text.split(token) if len(token) in _TOKEN else [text]
    for number, part in enumerate(parts):
        if number:
            yield escape(token), True
        yield escape(part), False


def _source(environment: Environment, name: str) -> Markup:
    """Read a style sheet or script as it is: it is no template, and nothing from a verdict gets into it."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

"""The verdict as one HTML file that needs nothing else: report.html.

The page stands in `templates/`. Every value that the template puts in is made visible and then escaped; the page's
policy (CSP) allows its own script by hash and no request at all.
"""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.verdict import Verdict
from reports import outline, phrases
from reports.charts import chart
from reports.visible import block, one_line, pretty

_BRIEF = 300
_TEXT = 8_000
_FRAME = 4_000


def render(verdict: Verdict) -> str:
    """Render a verdict as a self-contained HTML document."""
    environment = _environment()
    script = _source(environment, "report.js")
    return environment.get_template("report.html.jinja").render(
        verdict=verdict,
        families=outline.families(verdict),
        violated=outline.violated(verdict),
        style=_source(environment, "report.css"),
        script=script,
        script_hash=_hash(script),
    )


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
        "pretty": _pretty,
        "rationale": outline.rationale,
    }
    environment.globals |= {
        "caption": phrases.caption,
        "environment": phrases.environment,
        "chart": chart,
        "narrowed": phrases.narrowed,
        "objective": phrases.objective,
        "setting": outline.setting,
        "why": phrases.why,
        "words": phrases.WORDS,
    }
    return environment


def _fit(value: object) -> object:
    """Make a value fit to be put into the page, unless it is markup of the page's own."""
    return value if isinstance(value, Markup) else block(str(value), limit=_TEXT)


def _brief(text: str) -> str:
    return one_line(text, limit=_BRIEF)


def _pretty(text: str) -> Markup:
    """Indent a frame where it is JSON. It is fit already: `_fit` would take its escapes for length."""
    return escape(pretty(text, limit=_FRAME))


def _source(environment: Environment, name: str) -> Markup:
    """Read a style sheet or script as it is: it is no template, and nothing from a verdict gets into it."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

"""Figures over time, as drawings that need nothing else (SVG)."""

from markupsafe import Markup

from conformance.verdict import Series

_WIDTH, _HEIGHT = 720, 120


def chart(series: Series) -> Markup:
    """Draw a series as a line, from zero up to its highest value; where there is no value the line is broken."""
    known = [value for value in series.values if value is not None]
    highest = max(known, default=0.0) or 1.0
    step = _WIDTH / max(1, len(series.values) - 1)
    pieces: list[list[str]] = [[]]
    for at, value in enumerate(series.values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{at * step:.1f},{_HEIGHT - value / highest * _HEIGHT:.1f}")
    lines = Markup("").join(
        Markup('<polyline fill="none" stroke="currentColor" points="{}"/>').format(" ".join(piece))
        for piece in pieces
        if piece
    )
    words = f"{series.name}: highest {max(known, default=0.0):,.1f} {series.unit} in {len(series.values)} s"
    return Markup(
        '<svg viewBox="0 -4 {} {}" width="100%" role="img" preserveAspectRatio="none"><title>{}</title>{}</svg>'
        '<p class="quiet">{}</p>'
    ).format(_WIDTH, _HEIGHT + 8, words, lines, words)

"""`agent-conformance requirements`: list the catalogue, or explain one requirement."""

import shutil

import click

from conformance.catalogue import load
from conformance.catalogue.listing import as_json, as_text, explain

_ORDER = ("EVT", "SCH", "IDN", "ORD", "ISO", "ACC", "LIF", "DLV", "SRC", "TST")


def _repair(id: str) -> str:
    """Tell how a violation in source is repaired, with a bad and a good example; nothing for other requirements."""
    from contracts.explanation import repair

    return repair(id)


@click.command("requirements")
@click.argument("names", metavar="[ID|FAMILY]...", nargs=-1)
@click.option("--json", "as_data", is_flag=True, help="Print JSON for programs.")
def command(names: tuple[str, ...], as_data: bool) -> None:
    """List the requirements, those of a family, or explain one in full.

    \b
      agent-conformance requirements
      agent-conformance requirements ISO
      agent-conformance requirements EVT-05
    """
    catalogue = load()
    selected = catalogue.select(names) if names else list(catalogue)
    families = sorted(
        catalogue.families, key=lambda family: _ORDER.index(family.id) if family.id in _ORDER else len(_ORDER)
    )
    if as_data:
        click.echo(as_json(selected), nl=False)
    elif names and all("-" in name for name in names):
        click.echo("\n".join(explain(requirement) + _repair(requirement.id) for requirement in selected), nl=False)
    else:
        width = min(120, shutil.get_terminal_size((100, 24)).columns)
        click.echo(as_text(selected, families, width=width), nl=False)

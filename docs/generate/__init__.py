"""The reference, made from the code while the documentation is built: path below `docs/`, and Markdown."""

from collections.abc import Iterator

from docs.generate import commands, protocols, requirements, target_file, verdict


def pages() -> Iterator[tuple[str, str]]:
    """Yield all pages of the reference."""
    yield from requirements.pages()
    yield "reference/command-line.md", commands.page()
    yield "reference/target-file.md", target_file.page()
    yield "reference/verdict.md", verdict.page()
    yield from protocols.pages()

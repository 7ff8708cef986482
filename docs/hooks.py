"""What MkDocs calls: adds the pages that are made from the code to those that are written."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generate import pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference."""
    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files

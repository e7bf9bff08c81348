"""The project as files, for the tests that hold papers and code together."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def files(*suffixes: str, under: str = ".") -> Iterator[Path]:
    """Yield the project's own files: what `.gitignore` names is left out."""
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())]
    for path in sorted((ROOT / under).rglob("*")):
        is_ignored = any(fnmatch(part, name) for part in path.relative_to(ROOT).parts for name in ignored)
        if path.is_file() and not is_ignored and (not suffixes or path.suffix in suffixes):
            yield path


def syntax_trees(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of these packages with its syntax tree."""
    for package in packages:
        for path in files(".py", under=package):
            yield path, ast.parse(path.read_text())


def section(document: Path, heading: str) -> str:
    """Return the document's text under a heading of the second level."""
    _, _, rest = document.read_text().partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def first_cells(table: str) -> list[str]:
    """Return what stands in backticks in the first column of a Markdown table."""
    return [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]

"""The project as files, for the tests that hold papers and code together."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files(*suffixes: str, under: str = ".") -> tuple[Path, ...]:
    """Return the project's own files, in order: what `.gitignore` names is left out."""
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())]
    found = []
    for folder, folders, names in os.walk(ROOT / under):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in ignored)]
        found += [Path(folder, name) for name in names if not any(fnmatch(name, pattern) for pattern in ignored)]
    return tuple(sorted(path for path in found if not suffixes or path.suffix in suffixes))


def syntax_trees(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of these packages with its syntax tree."""
    for package in packages:
        for path in files(".py", under=package):
            yield path, _syntax_tree(path)


@cache
def _syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def section(document: Path, heading: str) -> str:
    """Return the document's text under a heading of the second level."""
    _, _, rest = document.read_text().partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def first_cells(table: str) -> list[str]:
    """Return what stands in backticks in the first column of a Markdown table."""
    return [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]

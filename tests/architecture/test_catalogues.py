"""The catalogues are complete: log events and Redis keys."""

import ast
from collections.abc import Iterator
from pathlib import Path

from shared.adapters.redis.keys import Keys
from shared.log_events import LogEvent
from tests.architecture.project import ROOT, syntax_trees

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def test_every_log_event_is_described() -> None:
    """Under each member of the catalogue stands when it is written, with its level."""
    ((_, tree),) = [(path, tree) for path, tree in syntax_trees("shared") if path.name == "log_events.py"]
    (catalogue,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    described = [
        statement.targets[0].id
        for statement, following in zip(catalogue.body, catalogue.body[1:], strict=False)
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and is_text(following)
    ]

    assert described == [event.name for event in LogEvent]


def is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_every_log_event_is_written_somewhere() -> None:
    """An event that nothing writes any more leaves the catalogue."""
    written = {
        node.attr
        for _, tree in syntax_trees("workers", "shared")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "LogEvent"
    }

    assert written == {event.name for event in LogEvent}


def test_every_log_line_is_from_the_catalogue() -> None:
    """No module logs a sentence of its own: the first argument is a member of the catalogue."""
    assert [place for path, tree in syntax_trees("workers", "shared") for place in free_sentences(path, tree)] == []


def free_sentences(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log" | "logger"), attr=method),
                args=[ast.Constant() | ast.JoinedStr(), *_],
            ) if method in LOG_METHODS:
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_redis_key_is_described() -> None:
    """The schema says of each key what type it has and what it holds."""
    keys = {name: member for name, member in vars(Keys).items() if not name.startswith("_") and name != "prefix"}

    assert keys
    assert [name for name, member in keys.items() if not member.__doc__] == []

"""The district's map of groups to categories, from the command line and from a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fakeredis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.config import load
from tests.command_line import app
from workers import container
from workers.container import Container
from workers.grade_passback.operations.categories import InvalidMapping, read_category_map


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Container]:
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    made = Container(load({}, env_file=Path("no.env")))
    yield made
    made.close()


@pytest.fixture
def run(service: Container) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(app, ["categories", "map", *words])


def test_entries_are_set_shown_and_removed(service: Container, run: Callable[..., Result]) -> None:
    """By name, without regard to case; linked groups stay, and the command says so."""
    assert "the map is empty" in run("list").output
    assert "Homework stands for Daily Work; the map has 1 group." in run("set", "Homework", "Daily Work").output
    assert service.associations.district_map() == {"homework": "Daily Work"}
    assert "Daily Work" in run("list").output
    assert "linked groups stay linked" in run("remove", "HOMEWORK").output
    assert service.associations.district_map() == {}
    assert run("remove", "HOMEWORK").exit_code == 2


@pytest.mark.parametrize(
    ("group", "category"), [(" ", "Tests"), ("Quizzes", ""), ("x" * 256, "Tests"), ("a\x1bb", "c")]
)
def test_a_bad_entry_is_refused(service: Container, run: Callable[..., Result], group: str, category: str) -> None:
    """It would never match, or would do so by chance."""
    assert run("set", group, category).exit_code == 2
    assert service.associations.district_map() == {}


def test_a_file_of_excel_is_read() -> None:
    """With its byte order mark and line ends, quoted names, empty lines, and a group that is there twice alike."""
    content = '\ufeffGroup, Category\r\n"Labs, long", Labs \r\n\r\n,\r\nQuizzes,Tests\r\nQUIZZES,tests\r\n'.encode()
    assert read_category_map(content) == {"Labs, long": "Labs", "Quizzes": "Tests"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the first line has to be: group,category"),
        (b"Homework,Daily Work\n", "the first line has to be: group,category"),
        (b"group,category\n", "the file has no entry"),
        (b"group,category\nHomework\n", "line 2: 1 columns instead of 2"),
        (b"group,category\nHomework,\n", "line 2: the category has no name"),
        (b"group,category\nHomework,A\nhomework,B\n", "line 3: homework stands for A in an earlier line"),
        (b"group,category\nHomework,A\n,B\n", "line 3: the group has no name"),
        (b'group,category\n"Homework,A\n', "no CSV file"),
        (b"group,category\n\xe9t\xe9,A\n", "no CSV file in UTF-8"),
    ],
)
def test_a_bad_file_names_the_line_and_stores_nothing(
    service: Container, run: Callable[..., Result], content: bytes, why: str
) -> None:
    """All of it, so that a district does not run with half of its map."""
    with pytest.raises(InvalidMapping, match=why):
        read_category_map(content)
    Path("map.csv").write_bytes(content)
    result = run("load", "map.csv")
    assert result.exit_code == 2
    assert service.associations.district_map() == {}


def test_a_file_that_is_not_there_is_named(run: Callable[..., Result]) -> None:
    """With the reason of the operating system."""
    result = run("load", "nowhere.csv")
    assert (result.exit_code, "No such file" in result.output) == (2, True)

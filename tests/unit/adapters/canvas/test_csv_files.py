import csv
import io
import zipfile

from shared.adapters.canvas.sis_import import zipped
from shared.domain.provisioning.imports.sis_imports import SisFiles
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow


def users(*values: tuple[str, ...]) -> SisFiles:
    return [(Entity.USERS, tuple(SisRow(each) for each in values))]


def unpacked(packed: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        (name,) = archive.namelist()
        return name, archive.read(name)


ONE = ("U1", "one@sandbox.example", 'Student "Uno"', "One, the first", "", "student", "active")


def test_a_data_set_becomes_a_file_named_like_its_entity() -> None:
    """The zip holds one CSV file with the header of its entity."""
    name, content = unpacked(zipped(users(ONE)))
    assert name == "users.csv"
    assert content.decode().splitlines()[0] == ",".join(HEADERS[Entity.USERS])


def test_values_survive_quotes_commas_line_ends_and_accents() -> None:
    """What is in a value comes out of the file again, in UTF-8."""
    odd = ("U2", "two@sandbox.example", "Stüdent\nZwei", 'Two, "the" 2nd', "", "student", "active")
    _, content = unpacked(zipped(users(ONE, odd)))
    assert [tuple(row) for row in csv.reader(io.StringIO(content.decode(), newline=""))][1:] == [ONE, odd]


def test_the_same_rows_are_the_same_bytes() -> None:
    """Nothing but the rows decides the bytes."""
    assert zipped(users(ONE)) == zipped(users(ONE))


def test_repetitive_rows_are_not_packed_too_well() -> None:
    """Canvas refuses a zip whose content is 100 times its size or more."""
    packed = zipped(users(*([ONE] * 20_000)))
    assert len(unpacked(packed)[1]) < 100 * len(packed)


def test_ordinary_rows_are_packed() -> None:
    """A file whose rows differ is compressed."""
    packed = zipped(users(*((str(number), f"{number * 7919}@sandbox.example", *ONE[2:]) for number in range(2000))))
    assert len(packed) < len(unpacked(packed)[1]) / 3


def test_an_import_has_a_file_of_each_kind() -> None:
    """Also of a kind without rows: Canvas compares each kind with the last file of it."""
    packed = zipped([*users(ONE), (Entity.TERMS, ())])
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["users.csv", "terms.csv"]
        assert archive.read("terms.csv").decode() == ",".join(HEADERS[Entity.TERMS]) + "\n"

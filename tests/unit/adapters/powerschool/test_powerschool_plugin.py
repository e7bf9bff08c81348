"""The PowerSchool plugin: a mistake in it shows only in a district's PowerSchool, as a 404 or a refused upload."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from shared.adapters.powerschool.gradebook.reader import StateRow
from shared.adapters.powerschool.gradebook.term_grades import FormulaRow, TermGradeRow
from shared.adapters.powerschool.pagination import AFTER
from shared.adapters.powerschool.provisioning.rows import LISTS
from shared.adapters.powerschool.rosters.reader import INDEX, SECTIONS, STUDENTS
from shared.domain.plugin import FORMULAS_QUERY, STATE_QUERY, TERM_GRADES_QUERY

ROOT = Path(__file__).parents[4]
PLUGIN = ROOT / "deploy" / "powerschool-plugin"
NAMESPACE = "{http://plugin.powerschool.pearson.com}"
WRITTEN = ("ASSIGNMENT", "ASSIGNMENTSECTION", "ASSIGNMENTCATEGORYASSOC", "ASSIGNMENTSCORE", "ASSIGNMENTSCORECOMMENT")
PAGED = {each.query: each for each in (*LISTS, SECTIONS, STUDENTS, INDEX)}
ROW_TYPES = {STATE_QUERY: StateRow, TERM_GRADES_QUERY: TermGradeRow, FORMULAS_QUERY: FormulaRow} | {
    name: each.row for name, each in PAGED.items()
}


def grants(file: str = "plugin.xml") -> dict[str, str]:
    fields = ET.parse(PLUGIN / file).iter(f"{NAMESPACE}field")
    return {f"{field.attrib['table']}.{field.attrib['field']}": field.attrib["access"] for field in fields}


def optional_grants() -> dict[str, str]:
    """Return what a district adds to the plugin by hand, for `passback totals`."""
    return grants("optional/fields.xml")


def queries(folders: tuple[str, ...] = ("queries_root", "optional")) -> list[ET.Element]:
    files = sorted(file for folder in folders for file in (PLUGIN / folder).glob("*.named_queries.xml"))
    return [query for file in files for query in ET.parse(file).getroot()]


def named(query: ET.Element) -> str:
    return query.attrib["name"]


def selected(query: ET.Element) -> list[str]:
    """Return the names under which the outer SELECT returns its columns."""
    outer = re.split(r"\bfrom\b", query.findtext("sql", ""), maxsplit=1)[0]
    return re.findall(r"\bas (\w+)\s*(?:,|$)", outer.strip())


@pytest.mark.parametrize("query", queries(), ids=named)
def test_columns_and_select_agree(query: ET.Element) -> None:
    """Same number, same order: PowerSchool pairs them by position."""
    assert [column.text for column in query.iter("column")] == selected(query)


@pytest.mark.parametrize("query", queries(), ids=named)
def test_every_selected_column_is_granted(query: ET.Element) -> None:
    """One that is not refuses the whole call."""
    assert {column.attrib["column"] for column in query.iter("column")} <= grants().keys() | optional_grants().keys()


@pytest.mark.parametrize("query", queries(), ids=named)
def test_every_used_column_is_granted(query: ET.Element) -> None:
    """Joins and conditions too."""
    sql = query.findtext("sql", "").lower()
    tables = {alias: table for table, alias in re.findall(r"(?:from|join)\s+(\w+)\s+(\w)\b", sql)}
    used = {f"{tables[alias]}.{column}".upper() for alias, column in re.findall(r"\b(\w)\.(\w+)", sql)}
    assert used <= grants().keys() | optional_grants().keys()


@pytest.mark.parametrize("query", queries(), ids=named)
def test_every_bind_variable_is_declared(query: ET.Element) -> None:
    """An undeclared one leaves the query unregistered without an error; arguments come before columns."""
    binds = set(re.findall(r"(?<!')(?<!\w):(\w+)", query.findtext("sql", "")))
    assert binds == {arg.attrib["name"] for arg in query.iter("arg")}
    places = [child.tag for child in query]
    assert places == [tag for tag in ("description", "args", "columns", "sql") if tag in places]


@pytest.mark.parametrize("query", queries(), ids=named)
def test_rows_are_ordered(query: ET.Element) -> None:
    """Paging is unreliable otherwise."""
    assert "order by" in query.findtext("sql", "")


@pytest.mark.parametrize("query", [query for query in queries() if named(query) in PAGED], ids=named)
def test_paged_queries_begin_after_a_row_of_their_order(query: ET.Element) -> None:
    """The arguments of the position are numbers of the very columns that the rows are ordered by."""
    listed, sql = PAGED[named(query)], query.findtext("sql", "")
    columns = {column.text: column.attrib["column"] for column in query.iter("column")}
    args = {arg.attrib["name"]: arg.attrib for arg in query.iter("arg")}
    for argument, column in zip(AFTER, listed.key, strict=False):
        assert (args[argument]["type"], args[argument]["required"]) == ("primitive", "true")
        assert args[argument]["column"] == columns[column]
    selected = dict(re.findall(r"([\w.]+) as (\w+)", sql))
    names = {alias: expression for expression, alias in selected.items()}
    ordered = re.split(r"\border by\b", sql)[1].strip()
    bare = [re.sub(r"nvl\(([\w.]+), 0\)", r"\1", each.strip()) for each in re.split(r",(?! 0)", ordered)]
    assert bare == [names[column] for column in listed.key]
    assert len(args.keys() & set(AFTER)) == len(listed.key)


@pytest.mark.parametrize("query", queries(), ids=named)
def test_names_are_as_powerschool_wants_them(query: ET.Element) -> None:
    """Five parts, not PowerSchool's own, aliases of plain characters, a flat result."""
    assert len(named(query).split(".")) == 5
    assert not named(query).startswith("com.powerschool")
    assert query.attrib["flattened"] == "true"
    assert query.attrib["coreTable"]
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", column.text or "") for column in query.iter("column"))


def test_the_queries_are_those_that_are_called() -> None:
    """With every field that the rows are made of, but those that a district adds to its own copy."""
    columns = {named(query): set(selected(query)) for query in queries()}
    assert columns.keys() == ROW_TYPES.keys()
    needed = {
        name: {field.validation_alias or field_name for field_name, field in row.model_fields.items()}
        for name, row in ROW_TYPES.items()
    }
    missing = {name: needed[name] - found for name, found in columns.items()}
    assert all(set(listed.key) <= columns[name] for name, listed in PAGED.items())
    added_by_districts = {"preferred_first_name", "preferred_last_name"}
    assert {name: fields for name, fields in missing.items() if fields - added_by_districts} == {}


@pytest.mark.parametrize("table", WRITTEN)
def test_written_tables_are_granted_with_their_audit_columns(table: str) -> None:
    """PowerSchool fills them itself and still wants the grant."""
    audit = ("WHOCREATED", "WHENCREATED", "WHOMODIFIED", "WHENMODIFIED")
    assert all(grants()[f"{table}.{column}"] == "FullAccess" for column in audit)


def test_the_optional_part_adds_what_its_queries_need_and_no_more() -> None:
    """The plugin itself has none of it, and can be enabled where a district does not want it, or lacks a column."""
    optional = queries(("optional",))
    assert {named(query) for query in optional} == {TERM_GRADES_QUERY, FORMULAS_QUERY}
    assert not {named(query) for query in queries(("queries_root",))} & {named(query) for query in optional}
    assert not grants().keys() & optional_grants().keys()
    assert set(optional_grants().values()) == {"ViewOnly"}
    sql = " ".join(query.findtext("sql", "") for query in optional).lower()
    tables = {alias: table for table, alias in re.findall(r"(?:from|join)\s+(\w+)\s+(\w)\b", sql)}
    used = {f"{tables[alias]}.{column}".upper() for alias, column in re.findall(r"\b(\w)\.(\w+)", sql)}
    assert optional_grants().keys() <= used


def test_only_what_is_written_may_be_written() -> None:
    """Everything else is ViewOnly."""
    assert {name.split(".")[0] for name, access in grants().items() if access == "FullAccess"} == set(WRITTEN)
    assert set(grants().values()) == {"FullAccess", "ViewOnly"}


def test_the_plugin_keeps_powerschools_limits() -> None:
    """Lengths of names, and the level without which the v1 API answers 401."""
    root = ET.parse(PLUGIN / "plugin.xml").getroot()
    publisher = root.find(f"{NAMESPACE}publisher")
    assert publisher is not None
    assert len(root.attrib["name"]) <= 40
    assert len(root.attrib["version"]) <= 20
    assert len(root.attrib["description"]) <= 256
    assert len(publisher.attrib["name"]) <= 100
    assert all(len(part) <= 30 for name in grants() for part in name.split("."))
    assert [oauth.attrib for oauth in root.iter(f"{NAMESPACE}oauth")] == [{"accessLevelV1Api": "READ"}]
    duplicates = re.findall(r'table="(\w+)" field="(\w+)"', (PLUGIN / "plugin.xml").read_text())
    assert len(duplicates) == len(set(duplicates))


def test_named_queries_have_no_namespace_and_no_summary() -> None:
    """PowerSchool refuses the one, and on some versions the other."""
    for file in (PLUGIN / "queries_root").iterdir():
        root = ET.parse(file).getroot()
        assert root.tag == "queries"
        assert not list(root.iter("summary"))

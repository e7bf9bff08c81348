"""What the explanation of totals reads, and whom it explains."""

from dataclasses import replace

from shared.domain.passback.canvas import GradebookRow
from shared.domain.passback.totals.causes import TotalCause
from tests.unit.workers.grade_passback.school import ROWS, School, row
from tests.unit.workers.grade_passback.school_totals import totals_reader
from workers.cli.district.totals import totals_text
from workers.cli.terminal.output import emit
from workers.grade_passback.operations.totals_json import totals_json


def test_what_is_not_sent_yet_is_named_with_its_reason() -> None:
    """Before the first sync PowerSchool has nothing, and each assignment says why."""
    found = totals_reader(School()).read("1").students
    assert [(each.student_sis_id, each.section_sis_id) for each in found] == [("S1", "4001"), ("S2", "4001")]
    explanation = found[0].explanation
    assert explanation is not None
    assert [(step.cause, step.name) for step in explanation.steps] == [
        (TotalCause.NOT_SENT, "Reading 1"),
        (TotalCause.NOT_SENT, "Reading 2"),
    ]
    assert explanation.powerschool is None
    assert explanation.difference == sum(step.change for step in explanation.steps)


def test_synced_gradebooks_agree_and_nothing_is_stored() -> None:
    """After a sync there is no step; reading writes nothing anywhere."""
    school = School()
    school.sync()
    writes, keys = list(school.powerschool.writes), sorted(school.stores.redis.keys())
    first = totals_reader(school).read("1").students[0].explanation
    assert first is not None
    assert (str(first.canvas), str(first.powerschool), first.steps) == ("65.00", "65.00", ())
    assert (school.powerschool.writes, sorted(school.stores.redis.keys())) == (writes, keys)


def test_who_is_not_in_powerschool_is_said_so() -> None:
    """Without a SIS id, unknown, or in no section: a sentence instead of a sum."""
    school = School()
    nobody = GradebookRow("73", None, frozenset({"21"}))
    school.canvas.rows = (*ROWS, nobody, row("S9", "79", a11="8"))
    found = totals_reader(school).read("1").students[2:]
    assert [each.explanation for each in found] == [None, None]
    assert "SIS id" in found[0].absence
    assert found[1].absence


def test_one_student_or_one_section_is_selected() -> None:
    """By SIS id; a teacher of other sections gets nobody."""
    reader = totals_reader(School())
    assert [each.user_id for each in reader.read("1", "S2").students] == ["72"]
    assert reader.read("1", "nobody").students == ()
    assert reader.read("1").of_sections(["22"]).students == ()
    assert len(reader.read("1").of_sections(["21"]).students) == 2


def test_the_command_prints_the_steps(capsys: object) -> None:
    """One student step by step, several as a table with the causes; both fit a narrow terminal."""
    school = School()
    everybody, one = (totals_json(totals_reader(school).read("1", student)) for student in (None, "S1"))
    emit(everybody, False, totals_text)
    emit(one, False, totals_text)
    said = capsys.readouterr().out  # type: ignore[attr-defined]
    assert "Not in PowerSchool: 2 students." in said
    assert "65.00  Canvas's total" in said
    assert "none  what PowerSchool's gradebook gives" in said
    assert "Reading 1" in said
    row = next(line.split() for line in said.splitlines() if line.startswith("S1 "))
    assert row[2:] == ["65.00", "none", "-", "0.00"], "a total that only Canvas has does not differ by 65 from none"


def test_a_section_without_a_teacher_is_not_read() -> None:
    """PowerSchool's gradebook belongs to a teacher."""
    school = School()
    known = school.rosters.remembered["4001"]
    school.rosters.remembered["4001"] = replace(known, teacher_users_dcid=None)
    explanation = totals_reader(school).read("1").students[0].explanation
    assert explanation is not None
    assert any("no lead teacher" in note for note in explanation.caveats)

"""PowerSchool's own grades, where a district lets the plugin read them: in any form, and never in the way."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import redis
from scripted_remote import ScriptedRemote, answer

from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.powerschool.gradebook.term_grades import read_section_grading
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.totals.grading import SectionGrading, TermFormula, TermGrade
from shared.errors import PassbackError
from tests.manual_clock import ManualClock

GRADES = "/ws/schema/query/org.passback.sync.totals.term_grades"
FORMULAS = "/ws/schema/query/org.passback.sync.totals.formulas"
CATEGORIES = {7: (TeacherCategory(61, "Homework", True, district_category_id=5), TeacherCategory(62, "Own", True))}
Read = Callable[[], Mapping[int, SectionGrading] | None]


@pytest.fixture
def read(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> Read:
    remote.on(
        "POST", "/oauth/access_token", answer({"access_token": "t", "token_type": "Bearer", "expires_in": "3600"})
    )
    system: PowerSchool = powerschool(settings_of(), redis_client, keys, clock, transport=remote.transport)
    return lambda: read_section_grading(system.api, [7], CATEGORIES)


def grade(**columns: Any) -> dict[str, Any]:
    return {"section_dcid": "7", "student_dcid": "501", "store_code": "S1"} | columns


def formula(**columns: Any) -> dict[str, Any]:
    return {"section_dcid": "7", "store_code": "S1", "calculation": "Category_Weighting"} | columns


def rows(*records: Mapping[str, Any]) -> dict[str, Any]:
    return {"record": list(records), "count": len(records)} if records else {"count": 0}


def test_grades_and_formulas_are_read(read: Read, remote: ScriptedRemote) -> None:
    """Dates, letters and percentages; the weight of a district's category is that of the teacher's copy."""
    days = {"first_day": "2030-08-01", "last_day": "2030-12-20"}
    remote.on("POST", GRADES, answer(rows(grade(letter="B", grade_percent="83.5", **days), grade(store_code="Q1"))))
    weighted = formula(district_category_id="5", category_weight="40", **days)
    own = formula(category_id="62", category_weight="60", **days)
    remote.on("POST", FORMULAS, answer(rows(weighted, own, formula(store_code="Q1", calculation="Total_Points"))))
    found = read()
    assert found is not None
    first, last = date(2030, 8, 1), date(2030, 12, 20)
    assert found[7].term_grades == {501: (TermGrade("S1", Decimal("83.5"), "B", first, last), TermGrade("Q1", None))}
    assert found[7].formulas == (
        TermFormula("S1", "category_weighting", {61: Decimal(40), 62: Decimal(60)}, first, last),
        TermFormula("Q1", "total_points"),
    )


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_query_that_is_not_there_is_no_fault(read: Read, remote: ScriptedRemote, status: int) -> None:
    """Both refused: nothing is known. One refused: the other is still read."""
    remote.on("POST", GRADES, answer({"message": "no"}, status=status))
    remote.on("POST", FORMULAS, answer({"message": "no"}, status=status))
    assert read() is None
    remote.on("POST", FORMULAS, answer(rows(formula(calculation="Total_Points"))))
    found = read()
    assert found is not None
    assert (found[7].grades_readable, len(found[7].formulas)) == (False, 1)
    remote.on("POST", GRADES, answer(rows()))
    found = read()
    assert found is not None
    assert (found[7].grades_readable, found[7].term_grades) == (True, {})


def test_odd_values_cost_no_other_row(read: Read, remote: ScriptedRemote) -> None:
    """A percentage that is none, an impossible date, a row that cannot be read."""
    odd = grade(grade_percent="--", first_day="0000-00-00", last_day=None)
    remote.on("POST", GRADES, answer(rows(odd, grade(student_dcid="x"), grade(student_dcid="502", grade_percent="70"))))
    remote.on("POST", FORMULAS, answer(rows()))
    found = read()
    assert found is not None
    assert found[7].term_grades == {501: (TermGrade("S1", None),), 502: (TermGrade("S1", Decimal(70)),)}


def test_an_outage_is_not_taken_for_a_missing_query(read: Read, remote: ScriptedRemote) -> None:
    """It is raised, as everywhere."""
    remote.on("POST", GRADES, answer({"message": "down"}, status=503))
    with pytest.raises(PassbackError):
        read()

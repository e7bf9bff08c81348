"""How the sandbox Canvas compares an upload with an earlier one of its data set."""

from typing import Any

from sis_canvas import COURSES, ENROLLMENTS, SECTIONS, TERMS, USERS, SisWorld, provisioned, zip_of

HEADER = "section_id,user_id,role,status"
NOTHING_GONE = {"diffing_data_set_identifier": "enrollments-T1", "diffing_drop_status": "completed"}


def enrollments(*users: str, section: str = "S1") -> str:
    return "\n".join([HEADER, *(f"{section},{user},student,active" for user in users), ""])


def import_of(world: SisWorld, content: str, **parameters: Any) -> dict[str, Any]:
    return world.imported(content, **(NOTHING_GONE | parameters))


def states(world: SisWorld) -> dict[str, str]:
    rows = world.roster("enrollments", "section_id", "user_id", "role", "status")
    return {user: status for section, user, role, status in rows if (section, role) == ("S1", "student")}


def test_rows_that_are_gone_get_the_drop_status() -> None:
    """A row of the base that is not in the upload is given the status for what is gone."""
    world = provisioned()
    first = import_of(world, enrollments("U1", "U2"))
    second = import_of(world, enrollments("U2"))
    assert states(world) == {"U1": "completed", "U2": "active"}
    assert second["diffed_against_import_id"] == first["id"]
    assert second["data"]["counts"]["enrollments"] == 1


def test_an_equal_upload_imports_nothing() -> None:
    """Without a difference no row is applied, so changes made elsewhere stay."""
    world = provisioned()
    import_of(world, enrollments("U1", "U2"))
    world.imported(f"{HEADER}\nS1,U1,student,inactive\n")
    found = import_of(world, enrollments("U1", "U2"))
    assert (found["workflow_state"], found["data"]["counts"]["enrollments"]) == ("imported", 0)
    assert states(world)["U1"] == "inactive"


def test_a_remaster_applies_everything_and_drops_nothing() -> None:
    """A remaster takes the whole file, and is the base of the next comparison."""
    world = provisioned()
    import_of(world, enrollments("U1", "U2"))
    remaster = import_of(world, enrollments("U2"), diffing_remaster_data_set="true")
    assert states(world) == {"U1": "active", "U2": "active"}
    assert remaster["diffed_against_import_id"] is None
    assert import_of(world, enrollments("U2"))["diffed_against_import_id"] == remaster["id"]


def test_users_that_are_gone_get_their_own_status() -> None:
    """Users that are gone are suspended if that is asked for, else deleted."""
    header = "user_id,login_id,full_name,status\n"
    one, two = "U5,five,Student Five,active\n", "U6,six,Student Six,active\n"
    for parameters, status in (({"diffing_user_remove_status": "suspended"}, "suspended"), ({}, "deleted")):
        world = SisWorld()
        world.imported(header + one + two, diffing_data_set_identifier="users")
        world.imported(header + one, diffing_data_set_identifier="users", **parameters)
        assert world.roster("users", "user_id", "status") == [("U5", "active"), ("U6", status)]


def test_over_the_threshold_everything_is_applied_and_nothing_dropped() -> None:
    """A shrunken upload is applied whole, drops nothing, says so, and is no base."""
    world = provisioned()
    first = import_of(world, enrollments("U1", "U2"))
    breach = import_of(world, enrollments("U2"), change_threshold=10)
    assert breach["workflow_state"] == "imported_with_messages"
    assert breach["diffing_threshold_exceeded"] is True
    assert breach["data"]["counts"]["enrollments"] == 1
    (error,) = world.errors(breach["id"])
    assert (error["file"], error["row"]) == (None, None)
    assert error["message"] == "Diffing not performed because file size difference exceeded threshold"
    assert states(world) == {"U1": "active", "U2": "active"}
    assert import_of(world, enrollments("U1", "U2"))["diffed_against_import_id"] == first["id"]


def test_five_breaches_in_a_row_and_imports_fail_until_a_remaster() -> None:
    """After five uploads over the threshold the next ones fail; a remaster is taken."""
    world = provisioned()
    import_of(world, enrollments("U1", "U2"), change_threshold=10)
    breaches = [import_of(world, enrollments("U2"), change_threshold=10)["workflow_state"] for _ in range(6)]
    assert breaches == ["imported_with_messages"] * 5 + ["failed_with_messages"]
    remastered = import_of(world, enrollments("U2"), change_threshold=10, diffing_remaster_data_set="true")
    assert remastered["workflow_state"] == "imported"
    assert import_of(world, enrollments("U2"), change_threshold=10)["workflow_state"] == "imported"


def test_a_failed_import_is_no_base() -> None:
    """Only what succeeded is compared with."""
    world = provisioned()
    first = import_of(world, enrollments("U1", "U2"))
    world.canvas.switchboard.set(world.faults.model_validate({"sis_import_fates": [{"state": "failed"}]}))
    import_of(world, enrollments("U2"))
    assert import_of(world, enrollments("U2"))["diffed_against_import_id"] == first["id"]
    assert states(world)["U1"] == "completed"


def test_row_numbers_count_in_the_difference() -> None:
    """An error of a compared upload is numbered in the rows that differ."""
    world = provisioned()
    import_of(world, enrollments("U1", "U2"))
    found = import_of(world, enrollments("U1", "U2", "U7"))
    assert [error["row"] for error in world.errors(found["id"])] == [2]


ALL = {"terms": TERMS, "courses": COURSES, "sections": SECTIONS, "users": USERS, "enrollments": ENROLLMENTS}


def several(world: SisWorld, **files: str) -> dict[str, Any]:
    """Send several files under one identifier."""
    found = world.imported(zip_of(**files), diffing_data_set_identifier="all", diffing_drop_status="completed")
    assert found["workflow_state"] == "imported", world.errors(found["id"])
    return found


def without(content: str, row: str) -> str:
    """Return the file without the rows that begin so."""
    return "".join(line for line in content.splitlines(keepends=True) if not line.startswith(row))


def test_several_files_are_compared_kind_by_kind() -> None:
    """Of a zip under one identifier each file is compared with the last one of its kind."""
    world = SisWorld()
    first = several(world, **ALL)
    changed = ALL | {
        "enrollments": without(ENROLLMENTS, ",S1,U1"),
        "users": USERS.replace("Student,Two", "Student,Deux"),
    }
    second = several(world, **changed)
    counts = second["data"]["counts"]
    assert second["diffed_against_import_id"] == first["id"]
    assert {kind: count for kind, count in counts.items() if count} == {"users": 1, "enrollments": 1}
    assert states(world)["U1"] == "completed"
    assert ("S2", "active") in world.roster("sections", "section_id", "status")


def test_what_a_file_lacks_is_gone_and_a_file_that_lacks_is_not() -> None:
    """An empty file ends all rows of its kind. A kind that the zip lacks is left alone, and then not compared.

    The next upload of that kind finds no file to be compared with in the last import: it is taken whole, and ends
    nothing. Whoever sends several files under one identifier has to send all of them each time.
    """
    world = SisWorld()
    several(world, **ALL)
    some = {kind: content for kind, content in ALL.items() if kind != "enrollments"}
    several(world, **(some | {"users": USERS.replace("Student,Two", "Student,Deux")}))
    assert states(world)["U1"] == "active"
    whole = several(world, **(ALL | {"enrollments": without(ENROLLMENTS, ",S1,U1")}))
    assert whole["data"]["counts"]["enrollments"] == 2
    assert states(world)["U1"] == "active"
    several(world, **(ALL | {"enrollments": ENROLLMENTS.splitlines(keepends=True)[0]}))
    assert states(world)["U1"] == "active"
    assert ("U2", "completed") in world.roster("enrollments", "user_id", "status")


def test_files_are_taken_in_the_order_that_rows_need() -> None:
    """Whatever their order in the zip: a new section finds its course, a new class its user."""
    world = SisWorld()
    found = several(world, **dict(reversed(ALL.items())))
    assert world.errors(found["id"]) == []
    assert states(world) == {"U1": "active"}


def test_one_breach_keeps_every_kind_from_being_compared() -> None:
    """The threshold looks at the size of the whole upload, and every file is applied whole then."""
    world = SisWorld()
    several(world, **ALL)
    few = ALL | {"enrollments": ENROLLMENTS.splitlines(keepends=True)[0], "users": USERS.splitlines(keepends=True)[0]}
    found = world.imported(zip_of(**few), diffing_data_set_identifier="all", change_threshold=5)
    assert found["diffing_threshold_exceeded"] is True
    assert set(states(world).values()) == {"active"}
    assert several(world, **ALL)["data"]["counts"]["enrollments"] == 0


def test_two_files_of_a_kind_are_not_compared() -> None:
    """Canvas says so, and takes them whole."""
    world = provisioned()
    for rows in (("U1", "U2"), ("U2",)):
        content = zip_of(one=enrollments(*rows), two=enrollments("U9", section="S2"))
        found = world.imported(content, diffing_data_set_identifier="all")
    assert {e["message"] for e in world.errors(found["id"])} == {
        "Can't perform diffing against more than one file of the same type"
    }
    assert states(world)["U1"] == "active"

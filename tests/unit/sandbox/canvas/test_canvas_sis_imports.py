"""SIS imports of the sandbox Canvas: who may import, what is read, how an import goes and ends."""

import pytest
from canvas_client import Client
from sis_canvas import COURSES, ENROLLMENTS, EVERYTHING, TERMS, URL, USERS, SisWorld, provisioned, zip_of


def test_a_sub_account_takes_no_imports() -> None:
    """Imports are executed on root accounts alone, in Canvas's words."""
    answer = SisWorld().post(TERMS, "/api/v1/accounts/2/sis_imports")
    assert (answer.status_code, answer.json()) == (
        400,
        {"errors": ["SIS imports can only be executed on root accounts"]},
    )


def test_imports_may_be_switched_off() -> None:
    """Where imports are not enabled, Canvas answers 403."""
    answer = SisWorld(sis_imports_enabled=False).post(TERMS)
    assert (answer.status_code, answer.json()) == (403, {"errors": ["SIS imports are not enabled for this account"]})


def test_only_the_provisioning_token_has_the_right() -> None:
    """With a provisioning token, the ordinary one may not import."""
    world = SisWorld(provisioning_token="importer")
    world.start(TERMS)
    assert Client(world.app).get(URL).status_code == 403


def test_the_provisioning_token_opens_nothing_else() -> None:
    """The provisioning token lacks the scope of everything but imports."""
    world = SisWorld(provisioning_token="importer")
    answer = world.client.get("/api/v1/accounts/1/courses")
    assert "Insufficient scopes" in answer.text


def test_everything_in_one_zip() -> None:
    """Files are recognised by their columns, whatever their names, and processed in Canvas's order."""
    world = SisWorld()
    found = world.imported(zip_of(a=ENROLLMENTS, b=USERS, c=EVERYTHING_SECTIONS, d=COURSES, e=TERMS))
    assert (found["workflow_state"], found["progress"]) == ("imported", 100)
    assert found["data"]["supplied_batches"] == ["term", "course", "section", "user", "enrollment"]
    assert found["data"]["counts"]["enrollments"] == 3


EVERYTHING_SECTIONS = "section_id,course_id,name,status\nS1,C1,Period 1,active\nS2,C1,Period 2,active\n"


def test_a_multipart_attachment() -> None:
    """The file may come as the attachment of a form, its parameters as fields."""
    world = SisWorld()
    form = {"data": {"diffing_data_set_identifier": "terms"}, "files": {"attachment": ("terms.csv", TERMS)}}
    assert world.client.post(URL, **form).json()["diffing_data_set_identifier"] == "terms"
    assert world.roster("terms", "term_id") == [("T1",)]


def test_a_form_without_attachment() -> None:
    """A form must hold an attachment."""
    answer = SisWorld().client.post(URL, files={"other": ("terms.csv", TERMS)})
    assert (answer.status_code, answer.json()["error_message"]) == (400, "Missing attachment")


def test_an_octet_stream_says_its_extension() -> None:
    """A raw body of any type is read as the extension says."""
    world = SisWorld()
    headers = {"Content-Type": "application/octet-stream"}
    world.client.post(f"{URL}?extension=csv", content=TERMS, headers=headers)
    assert world.roster("terms", "term_id") == [("T1",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"term_id,name,status\nT1,Fr\xfchling,active\n", "Invalid UTF-8"),
        ("apples,pears\n1,2\n", "Couldn't find Canvas CSV import headers"),
        ('term_id,name,status\nT1,"Fall,active\n', "Malformed CSV"),
    ],
)
def test_a_file_that_cannot_be_read_fails(content: str | bytes, message: str) -> None:
    """A file in another encoding, with unknown columns or broken quotes fails the import."""
    world = SisWorld()
    found = world.imported(zip_of(file=content))
    assert (found["workflow_state"], found["processing_errors"]) == ("failed_with_messages", [["file.csv", message]])


def test_a_zip_that_inflates_too_much_fails() -> None:
    """The content of a zip must be less than 100 times its size."""
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("terms.csv", TERMS + "T2,Spring,active,,\n" * 5000)
    assert SisWorld().imported(packed.getvalue())["workflow_state"] == "failed_with_messages"


def test_one_import_at_a_time() -> None:
    """While one import runs, the next waits in `created`; they are served in their order."""
    world = SisWorld()
    world.faults.sis_import_s = 60
    first, second = world.start(TERMS), world.start(COURSES)
    world.pass_time(seconds=30)
    assert (world.shown(first)["workflow_state"], world.shown(first)["progress"]) == ("importing", 50)
    assert world.shown(second)["workflow_state"] == "created"
    assert [found["id"] for found in world.client.get(f"{URL}/importing").json()["sis_imports"]] == [first]
    world.pass_time(seconds=60)
    assert (world.shown(first)["workflow_state"], world.shown(second)["workflow_state"]) == ("imported", "importing")
    assert world.shown(second)["started_at"] == world.shown(first)["ended_at"]


def test_imports_are_listed_newest_first_and_by_state() -> None:
    """The list begins with the newest import, and `workflow_state[]` restricts it."""
    world = SisWorld()
    first = world.start(TERMS)
    world.shown(first)
    world.faults.sis_imports_held = True
    second = world.start(TERMS)
    listed = world.client.get(URL).json()["sis_imports"]
    waiting = world.client.get(f"{URL}?workflow_state[]=created").json()["sis_imports"]
    assert [found["id"] for found in listed] == [second, first]
    assert [found["id"] for found in waiting] == [second]


def test_after_an_abort_the_next_import_waits_ten_minutes() -> None:
    """An aborted import keeps what was applied; what waited starts ten minutes later."""
    world = SisWorld()
    world.faults.sis_import_s = 60
    first, second = world.start(EVERYTHING), world.start(TERMS)
    world.pass_time(seconds=30)
    assert world.client.put(f"{URL}/{first}/abort").json()["workflow_state"] == "aborted"
    assert 0 < len(world.roster("users", "user_id")) < 3
    world.pass_time(minutes=9)
    assert world.shown(second)["workflow_state"] == "created"
    world.pass_time(minutes=1)
    assert world.shown(second)["workflow_state"] == "importing"
    assert world.client.put(f"{URL}/{first}/abort").status_code == 404


@pytest.mark.parametrize("state", ["failed", "failed_with_messages", "aborted"])
def test_an_import_may_be_told_to_end_badly(state: str) -> None:
    """A fate ends the next import early, with a part of its rows applied; the one after it is well."""
    world = SisWorld()
    world.canvas.switchboard.set(world.faults.model_validate({"sis_import_fates": [{"state": state, "after": 0.5}]}))
    assert world.imported(EVERYTHING)["workflow_state"] == state
    assert world.roster("courses", "course_id")
    assert world.roster("enrollments", "user_id") == []
    assert world.imported(EVERYTHING)["workflow_state"] == "imported"


def test_row_errors_name_their_row_and_the_rest_is_applied() -> None:
    """A wrong row is counted from 1 with the header; the import ends with messages."""
    world = provisioned()
    found = world.imported(f"{ENROLLMENTS},S7,U1,student,active\n,S2,U1,student,active\n")
    (error,) = world.errors(found["id"])
    assert found["workflow_state"] == "imported_with_messages"
    assert (error["row"], error["row_info"], error["file"]) == (5, ",S7,U1,student,active", "sis_import.csv")
    assert error["message"].startswith("Neither course nor section existed for user enrollment (Section ID: S7")
    assert ("S2", "U1") in world.roster("enrollments", "section_id", "user_id")


def test_errors_are_forgotten_after_thirty_days() -> None:
    """Errors are kept for 30 days."""
    world = provisioned()
    found = world.imported(",S1\n".join(["section_id,course_id,name,status", "S9,C9,Period 9,active\n"]))
    world.pass_time(days=30)
    assert world.errors(found["id"])
    world.pass_time(seconds=1)
    assert world.errors(found["id"]) == []


def test_only_failures_are_listed_on_demand() -> None:
    """`failure=true` leaves row errors out."""
    world = SisWorld()
    broken = world.imported(zip_of(a="apples\n1\n", sections="section_id,course_id,name,status\nS9,C9,P,active\n"))
    assert len(world.errors(broken["id"])) == 2
    assert [error["file"] for error in world.errors(broken["id"], "?failure=true")] == ["a.csv"]


def test_statistics_count_changes_of_state() -> None:
    """`data.statistics` says what came, went, ended and came back."""
    world = provisioned()
    found = world.imported(
        zip_of(enrollments="section_id,user_id,role,status\nS1,U1,student,completed\nS1,U9,teacher,deleted\n")
    )
    counts = found["data"]["statistics"]
    assert counts["total_state_changes"] == 2
    assert (counts["Enrollment"]["concluded"], counts["Enrollment"]["deleted"]) == (1, 1)


def test_progress_may_come_as_text() -> None:
    """The documentation shows progress as text, so the sandbox can as well."""
    world = SisWorld()
    world.faults.sis_progress_as_text = True
    assert world.imported(TERMS)["progress"] == "100"


def test_imports_announce_their_states() -> None:
    """`sis_batch_created` and `sis_batch_updated` carry local ids; the account is their context."""
    world = SisWorld()
    found = world.imported(TERMS)
    told = [(event.name, event.payload["body"]) for event in world.announced]
    assert [(name, body["workflow_state"]) for name, body in told] == [
        ("sis_batch_created", "created"),
        ("sis_batch_updated", "importing"),
        ("sis_batch_updated", "imported"),
    ]
    assert told[0][1]["sis_batch_id"] == str(found["id"])
    assert world.announced[0].payload["metadata"]["context_type"] == "Account"


@pytest.mark.parametrize(
    "parameters",
    [
        {"diffing_data_set_identifier": "i" * 129},
        {"diffing_data_set_identifier": "é" * 65},
        {"diffing_data_set_identifier": "terms", "batch_mode": "true", "batch_mode_term_id": "1"},
        {"diffing_drop_status": "gone"},
        {"diffing_user_remove_status": "completed"},
        {"change_threshold": 101},
        {"import_type": "other"},
        {"skip_deletes": "true"},
    ],
)
def test_parameters_that_are_refused(parameters: dict[str, object]) -> None:
    """Identifiers are 128 bytes at the most and exclude batch mode; statuses and thresholds are known ones.

    What the sandbox does not do is refused as well.
    """
    assert SisWorld().post(TERMS, **parameters).status_code == 400


def test_an_import_may_hang_until_it_is_aborted() -> None:
    """It stays `importing`, however long that takes, and nothing else begins; aborted, the next one follows."""
    world = SisWorld()
    world.canvas.switchboard.set(world.faults.model_validate({"sis_import_fates": [{"state": "hangs", "after": 0.5}]}))
    hanging = world.start(EVERYTHING)
    waiting = world.start(TERMS)
    world.pass_time(days=2)
    assert (world.shown(hanging)["workflow_state"], world.shown(waiting)["workflow_state"]) == ("importing", "created")
    assert world.client.put(f"{URL}/{hanging}/abort").json()["workflow_state"] == "aborted"
    world.pass_time(minutes=10)
    assert world.shown(waiting)["workflow_state"] == "imported"


def test_accounts_are_found_by_their_sis_id() -> None:
    """One that is not there is a 404."""
    world = SisWorld(accounts=["100"])
    assert world.client.get("/api/v1/accounts/sis_account_id:100").json()["sis_account_id"] == "100"
    assert world.client.get("/api/v1/accounts/sis_account_id:200").status_code == 404

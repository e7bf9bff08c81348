"""Whether a refusal concerns everybody follows from a second call, not from its status."""

import httpx
import pytest
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas.client import CanvasClient
from shared.errors import AccessDenied, ServiceUnavailable
from tests.unit.adapters.canvas.test_canvas_client import ASSIGNMENT, BASE, course_of

PROBE = "/api/v1/users/self"
NOT_AUTHORIZED = answer({"status": "unauthorized", "errors": [{"message": "user not authorized to do that"}]}, 401)
BAD_TOKEN = answer({"errors": [{"message": "Invalid access token."}]}, 401, WWW_Authenticate='Bearer realm="canvas"')
NO_SCOPE = answer({"errors": [{"message": "Insufficient scopes on access token."}]}, 401)


@pytest.mark.parametrize("listing", ["assignments", "sections", "assignment_groups"])
@pytest.mark.parametrize("probe", [answer({"id": "1"}), NO_SCOPE], ids=["answered", "a scoped key"])
def test_a_course_that_the_user_may_not_see_is_its_own_problem(
    canvas: CanvasClient, remote: ScriptedRemote, listing: str, probe: httpx.Response
) -> None:
    """The token is good: it is like a 403, and says what Canvas answered."""
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", f"{BASE}/{listing}", NOT_AUTHORIZED).on("GET", PROBE, probe)
    with pytest.raises(AccessDenied) as caught:
        canvas.course("41")
    assert (caught.value.cause, caught.value.status) == ("canvas_403", 401)


@pytest.mark.parametrize("refusal", [BAD_TOKEN, NOT_AUTHORIZED], ids=["with its header", "header lost on the way"])
def test_a_token_that_nothing_is_answered_to_concerns_everybody(
    canvas: CanvasClient, remote: ScriptedRemote, refusal: httpx.Response
) -> None:
    """Canvas refuses the call that every valid token may make as well."""
    remote.on("GET", f"{BASE}/assignments", refusal).on("GET", PROBE, refusal)
    with pytest.raises(AccessDenied) as caught:
        canvas.course("41")
    assert caught.value.cause == "canvas_401"
    with pytest.raises(AccessDenied) as caught:
        canvas.check_token()
    assert caught.value.cause == "canvas_401"


def test_without_evidence_nothing_is_concluded(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """A Canvas that is away when it is asked again is waited for."""
    remote.on("GET", f"{BASE}/assignments", NOT_AUTHORIZED).on("GET", PROBE, answer({}, 503))
    with pytest.raises(ServiceUnavailable):
        canvas.course("41")


def test_scores_of_one_course_alone(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """A course's grades may be closed where its assignments are not."""
    remote.on("GET", f"{BASE}/students/submissions", NOT_AUTHORIZED).on("GET", PROBE, answer({"id": "1"}))
    with pytest.raises(AccessDenied) as caught:
        canvas.gradebook("41", ["71"])
    assert caught.value.cause == "canvas_403"

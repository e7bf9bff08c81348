"""The operator's page and the commands of the installations in Canvas."""

import json
from datetime import UTC, datetime

import pytest

from shared.adapters.redis.operations.lti import LINK_LIFETIME, Registration
from shared.domain.actions import Verb
from tests.unit.web.lti.launch_kit import CLIENT, PUBLIC_URL, SETTINGS, Canvas, login_fields
from tests.unit.web.site_kit import Site
from workers.recorded_actions import RecordedActions
from workers.web.lti.claims import Custom
from workers.web.lti.configuration import (
    CUSTOM_FIELDS,
    PLACEMENTS,
    PLACEMENTS_BY_PATH,
    json_configuration,
    registration_request,
)

AT = datetime(2026, 10, 5, tzinfo=UTC)
PENDING = Registration(
    client_id="10000000000099", issuer="https://canvas.instructure.com", account_name="<b>District</b>",
    registered_at=AT, link_made_by="engineer",
)  # fmt: skip
WITHOUT_CLIENT = {name: value for name, value in SETTINGS.items() if name != "LTI_CLIENT_ID"}


def test_an_operator_confirms_and_removes_a_registration() -> None:
    """Its launches are accepted from the confirmation to the removal; both are in Actions."""
    site = Site(**WITHOUT_CLIENT)
    site.service.lti.save_registration(PENDING)
    canvas, operator = Canvas(site), site.browser("operator")
    assert "unconfirmed_client" in canvas.browser().get("/lti/login", params=login(PENDING)).text
    page = operator.text("/canvas")
    assert "10000000000099 <b>District</b>" in page
    assert "with a link of engineer pending" in page
    assert operator.post("/canvas/confirm", {"client_id": PENDING.client_id}).status_code == 303
    assert canvas.browser().get("/lti/login", params=login(PENDING)).status_code == 302
    assert "confirmed by operator" in operator.text("/canvas")
    operator.get(f"/canvas/remove?client_id={PENDING.client_id}")
    assert operator.post("/canvas/remove", {"client_id": PENDING.client_id}).status_code == 303
    assert canvas.browser().get("/lti/login", params=login(PENDING)).status_code == 404
    done = site.service.actions.newest(2)
    assert [(each.verb, each.target) for each in done] == [
        (Verb.REMOVE, "client:10000000000099"),
        (Verb.CONFIRM, "client:10000000000099"),
    ]


@pytest.mark.parametrize("path", ["/canvas/confirm", "/canvas/remove"])
def test_a_viewer_decides_nothing(path: str) -> None:
    """Viewers see the installations, and their forms are refused."""
    site = Site(**WITHOUT_CLIENT)
    site.service.lti.save_registration(PENDING)
    viewer = site.browser("viewer")
    assert "Only operators may act" in viewer.text("/canvas")
    assert viewer.post(path, {"client_id": PENDING.client_id}).status_code == 403
    assert site.service.lti.registrations() == [PENDING]


@pytest.mark.parametrize("path", ["/canvas/confirm", "/canvas/remove"])
def test_an_unknown_client_is_named_so(path: str) -> None:
    """What somebody else removed meanwhile is 404."""
    operator = Site(**SETTINGS).browser("operator")
    operator.get("/canvas")
    assert operator.post(path, {"client_id": "5"}).status_code == 404
    assert operator.get("/canvas/remove?client_id=5").status_code == 404


def test_a_confirmed_registration_of_another_issuer_opens_nothing() -> None:
    """After a change of the issuer, registrations of the former one count no longer."""
    site = Site(**WITHOUT_CLIENT)
    site.service.lti.save_registration(PENDING.model_copy(update={"issuer": "https://old.example", "confirmed_at": AT}))
    assert Canvas(site).browser().get("/lti/login", params=login(PENDING)).status_code == 403


def test_clients_of_the_setting_and_of_registrations_are_both_known() -> None:
    """Two installations of one Canvas do not exclude each other, and a launch of one does not fit the other's login."""
    site = Site(**SETTINGS)
    site.service.lti.save_registration(PENDING.model_copy(update={"confirmed_at": AT}))
    canvas = Canvas(site)
    for client in (CLIENT, PENDING.client_id):
        assert canvas.begin(canvas.browser(), client_id=client)["client_id"] == client
    response = canvas.launch(aud=PENDING.client_id, azp=PENDING.client_id)
    assert "state_of_other_client" in response.text


def test_the_paths_exist_from_the_first_link_on() -> None:
    """Before, all of them are 404; with an open link those that an installation needs answer."""
    site = Site(**WITHOUT_CLIENT)
    browser = site.browser()
    assert {browser.get(path).status_code for path in ("/lti/config.json", "/lti/jwks", "/lti/register/x")} == {404}
    secret = RecordedActions(site.service, "engineer").make_registration_link()
    assert browser.get("/lti/config.json").json() == json_configuration(PUBLIC_URL)
    assert browser.get("/lti/register/x?openid_configuration=https://d.instructure.com/c").status_code == 403
    keys = [key for key in site.service.redis.keys("*lti:link*") if secret.encode() not in key]
    assert len(keys) == 1
    assert 0 < site.service.redis.pttl(keys[0]) <= LINK_LIFETIME.total_seconds() * 1000


def test_the_own_key_set_stays_and_has_no_private_part() -> None:
    """Every process answers with the same public key; nothing secret is stored for it."""
    canvas = Canvas()
    first, second = (canvas.browser().get("/lti/jwks").json() for _ in range(2))
    (key,) = first["keys"]
    assert first == second
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use", "key_ops"}
    assert key["key_ops"] == ["verify"]
    assert json.loads(canvas.redis.get("passback:lti:public-key") or "") == first


def test_both_ways_to_install_ask_for_the_same() -> None:
    """Pages, placements and custom fields agree, and are those that a launch reads."""
    pasted, registered = json_configuration(PUBLIC_URL), registration_request(PUBLIC_URL)
    (canvas,) = pasted["extensions"]  # type: ignore[misc]
    placements = canvas["settings"]["placements"]  # type: ignore[index]
    messages = registered["https://purl.imsglobal.org/spec/lti-tool-configuration"]["messages"]  # type: ignore[index]
    assert [each["placement"] for each in placements] == [each["placements"][0] for each in messages]
    assert [each["target_link_uri"] for each in placements] == [each["target_link_uri"] for each in messages]
    assert {each.path: each.name for each in PLACEMENTS} == PLACEMENTS_BY_PATH
    assert set(CUSTOM_FIELDS) == set(Custom.model_fields)
    assert pasted["scopes"] == []
    assert registered["scope"] == ""
    asked = json.dumps([pasted, registered])
    assert "anonymous" in asked
    assert not {"$Person.name.full", "$Person.email.primary", "public"} & set(asked.split('"'))


def login(registration: Registration) -> dict[str, str]:
    return login_fields(client_id=registration.client_id)

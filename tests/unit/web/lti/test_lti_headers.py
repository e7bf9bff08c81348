"""Who may show a page of passback in a frame."""

import pytest

from tests.unit.web.site_kit import Site

LTI = {
    "LTI_CLIENT_ID": "10000000000042", "PUBLIC_URL": "https://passback.example", "CANVAS_ROOT_ACCOUNT_UUID": "uuid-1",
    "CANVAS_URL": "https://canvas.district.example", "LTI_FRAME_ANCESTORS": "https://learn.district.example",
}  # fmt: skip


def test_canvas_may_frame_the_pages_inside_it() -> None:
    """Instructure's hosts, the district's Canvas and the addresses of the setting are named, and nothing else is."""
    headers = Site(**LTI).browser().get("/lti/none").headers
    assert headers["content-security-policy"].partition("frame-ancestors ")[2].split() == [
        "https://*.instructure.com",
        "https://*.canvaslms.com",
        "https://canvas.district.example",
        "https://learn.district.example",
    ]
    assert "x-frame-options" not in headers
    assert "cross-origin-opener-policy" not in headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/courses", "/api/v1/status", "/ltix"])
def test_nobody_frames_the_other_pages(path: str) -> None:
    """Where LTI is on, the operator's pages and the API are framed by nobody as before."""
    headers = Site(**LTI).browser().get(path).headers
    assert headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/lti", "/lti/login", "/lti/launch", "/lti/course", "/lti/config.json", "/lti/jwks"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_an_installation_there_is_nothing(method: str, path: str) -> None:
    """Every path below /lti is 404 where nobody has set up LTI."""
    browser = Site().browser()
    assert (browser.get(path) if method == "GET" else browser.post(path, {}, token="")).status_code == 404

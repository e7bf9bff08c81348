"""How fast both systems are called, on the Overview and in the API's status."""

from tests.unit.web.site_kit import Site


def test_a_learnt_rate_is_shown_and_is_no_problem() -> None:
    """A throttling PowerSchool is a speed and not a fault; the configured interval stands beside the learnt one."""
    site = Site(POWERSCHOOL_MIN_INTERVAL_MS="100")
    site.service.redis.hset(site.service.keys.rate("powerschool"), "interval", "262.400")
    browser = site.browser("operator")
    page = browser.text("/")
    assert "PowerSchool is sent a request per 262 ms: it throttled more (100 ms configured)." in page
    assert "Canvas is sent" not in page
    status = browser.get("/api/v1/status").json()
    assert status["request_interval_ms"] == {
        "canvas": {"now": 0, "configured": 0, "learnt": False},
        "powerschool": {"now": 262, "configured": 100, "learnt": True},
    }
    assert "system_unwell" not in {problem["code"] for problem in status["problems"]}


def test_without_an_interval_nothing_is_said() -> None:
    """As in an installation whose systems never throttled."""
    assert "is sent a request per" not in Site().browser("viewer").text("/")

"""The Canvas from which launches come: its issuer, and where it authorizes them and publishes its keys.

Source: Canvas, "LTI launch overview". Platform storage works with the host of the authorization endpoint only.
"""

from dataclasses import dataclass

from shared.config import Settings, origin

INSTRUCTURE_HOSTS = {
    "https://canvas.instructure.com": "https://sso.canvaslms.com",
    "https://canvas.beta.instructure.com": "https://sso.beta.canvaslms.com",
    "https://canvas.test.instructure.com": "https://sso.test.canvaslms.com",
}


@dataclass(frozen=True, slots=True)
class Platform:
    """A Canvas, as launches name it."""

    issuer: str
    host: str

    @property
    def authorization_url(self) -> str:
        """Return where the browser gets its launch."""
        return f"{self.host}/api/lti/authorize_redirect"

    @property
    def keys_url(self) -> str:
        """Return where the keys are that verify launches."""
        return f"{self.host}/api/lti/security/jwks"

    @property
    def storage_origin(self) -> str:
        """Return the only origin that may answer a message about stored data."""
        return origin(self.host)


def platform_of(settings: Settings) -> Platform:
    """Return the Canvas of these settings: every district of Instructure's cloud has the same."""
    host = settings.lti_platform_url or INSTRUCTURE_HOSTS.get(settings.lti_issuer) or settings.canvas_url
    return Platform(settings.lti_issuer, host)

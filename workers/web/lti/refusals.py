"""Why a launch is refused: a code for logs and metrics, and a sentence for whoever sees the page."""

from enum import Enum, unique

_AGAIN = "Open passback again from its link in Canvas."
_ADMIN = "Ask the district's Canvas administrator; the code below says which check failed."
_INSTALL = "A Canvas administrator has to install passback again; the code below says what is missing."
_NOT_CANVAS = "This did not come from the district's Canvas: "


@unique
class Refusal(Enum):
    """Every reason: the HTTP status, what is wrong, and what to do about it. Its code is its name in lower case."""

    def __init__(self, status: int, what: str, remedy: str) -> None:
        self.status = status
        self.what = what
        self.remedy = remedy

    # The login initiation.
    MALFORMED_LOGIN = (400, "Canvas's request lacks something that every request has, or is too long.", _AGAIN)
    FOREIGN_ISSUER = (403, "This Canvas is not the one for which passback is set up.", _ADMIN)
    UNKNOWN_CLIENT = (403, "This installation of passback in Canvas is not registered here.", _ADMIN)
    UNCONFIRMED_CLIENT = (
        403,
        "Passback is installed in Canvas, and nobody has confirmed that here yet.",
        "Passback's operator has to confirm the registration: `passback lti confirm`.",
    )
    FOREIGN_TARGET = (403, "Canvas asks for a page that passback does not have.", _INSTALL)

    # What Canvas answers instead of a launch.
    LOGIN_REQUIRED = (
        401,
        "Canvas does not see here that you are signed in, probably because the browser blocks its cookies.",
        "Open passback in a new tab.",
    )
    LAUNCH_EXPIRED = (401, "Canvas does not hand out this launch any more.", _AGAIN)
    TOOL_DISABLED = (403, "Passback is switched off in Canvas.", _ADMIN)
    PLATFORM_ERROR = (400, "Canvas did not open passback.", _AGAIN)

    # The signed launch.
    MALFORMED_TOKEN = (400, "This is no launch of Canvas.", _AGAIN)
    WRONG_ALGORITHM = (401, f"{_NOT_CANVAS}it is not signed as Canvas signs.", _AGAIN)
    UNKNOWN_KEY = (401, f"{_NOT_CANVAS}Canvas does not publish the key that signed it.", _AGAIN)
    BAD_SIGNATURE = (401, f"{_NOT_CANVAS}its signature is wrong.", _AGAIN)
    KEYS_UNAVAILABLE = (
        503,
        "Passback cannot check now that this came from Canvas: its keys cannot be read.",
        "Try again in a minute.",
    )
    MALFORMED_CLAIMS = (400, "The launch is not as Canvas makes it.", _ADMIN)
    WRONG_ISSUER = (401, "The launch is of another Canvas.", _ADMIN)
    WRONG_AUDIENCE = (401, "The launch is for another tool.", _ADMIN)
    EXPIRED = (401, "The launch is too old.", _AGAIN)
    NOT_YET_VALID = (401, "The launch is dated in the future.", "Check the clock of passback's machine.")
    TOO_OLD = (401, "The launch was made more than ten minutes ago.", _AGAIN)
    UNKNOWN_STATE = (401, "Passback did not ask for this launch, or longer than ten minutes ago.", _AGAIN)
    USED_STATE = (401, "This launch was opened already.", _AGAIN)
    STATE_OF_OTHER_CLIENT = (401, "Passback asked for this launch with another client id.", _AGAIN)
    WRONG_NONCE = (401, "The launch is not the one that passback asked for.", _AGAIN)
    WRONG_VERSION = (400, "The launch is of another version of LTI than 1.3.", _INSTALL)
    WRONG_MESSAGE = (400, "Canvas sent a message for which passback has no page.", _INSTALL)
    DEPLOYMENT_MISSING = (400, "The launch names no deployment.", _ADMIN)
    WRONG_TARGET = (403, "The launch is for a page that passback does not have.", _INSTALL)
    DISTRICT_MISSING = (403, "Canvas does not say to which district you belong.", _INSTALL)
    FOREIGN_DISTRICT = (403, "This passback belongs to another district.", _ADMIN)
    CONTENT_LINK = (
        403,
        (
            "Passback does not open from an assignment, a module or a page of content: whoever makes such a link can "
            "write into it what they like."
        ),
        'Open it from the course menu ("PowerSchool sync") or from the Gradebook.',
    )
    CONTEXT_CONTRADICTED = (403, "The launch names two different courses, or a course and the account.", _ADMIN)
    COURSE_MISSING = (403, "Canvas does not say which course this is.", _INSTALL)
    USER_MISSING = (403, "Canvas does not say who you are.", _INSTALL)
    SECTIONS_MISSING = (403, "Canvas does not say which sections of this course are yours.", _INSTALL)
    NOT_A_TEACHER = (
        403,
        "This page is for the course's teachers.",
        "If you teach this course, ask for the enrollment as teacher.",
    )
    ENROLLMENT_NOT_ACTIVE = (
        403,
        "This page is for the course's teachers, and your enrollment in the course is not active.",
        "If you still teach this course, ask for an active enrollment.",
    )
    NOT_AN_ADMIN = (403, "This page is for administrators of the whole Canvas account.", _ADMIN)

    # The browser.
    OTHER_BROWSER = (
        403,
        "This launch was begun in another browser, or this browser withholds what passback stored.",
        _AGAIN,
    )
    LAUNCH_USED = (401, "This launch was opened already, or its minute is over.", _AGAIN)

    # The installation.
    LINK_USED = (
        403,
        "This registration link was used already, or is too old.",
        "Let passback's operator run `passback lti register` for a new one.",
    )
    MALFORMED_REGISTRATION = (
        400, "Canvas opens this address while it installs passback; it shows nothing otherwise.",
        "In Canvas, paste the link of `passback lti register` as the registration URL.",
    )  # fmt: skip
    FOREIGN_PLATFORM = (
        403,
        "The installation names addresses that are not of the Canvas for which passback is set up.",
        "Compare `PASSBACK_LTI_ISSUER` and `PASSBACK_LTI_PLATFORM_URL` with this Canvas.",
    )
    PLATFORM_UNAVAILABLE = (
        502, "Canvas did not answer as it should while passback registered.",
        "Begin the installation in Canvas again, with a new link of `passback lti register`.",
    )  # fmt: skip

    @property
    def code(self) -> str:
        """The code for logs, metrics and pages."""
        return self.name.lower()


class LaunchRefused(Exception):
    """Ends a launch with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal

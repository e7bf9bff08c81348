"""Values that must never leave the stores that may hold them, and a search for them."""

from collections.abc import Iterable

STUDENT, WORK, MAIL, SCORE = "Zephyrine", "Quackenbush essay", "zephyrine@canary.example", 7.4242
PASSWORD = "canary-operator-password"
METRICS_TOKEN = "canary-metrics-token"
REDIS_PASSWORD = "canary-redis-password"
WEBHOOK_SECRET = "whsec_Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LW9mLWxlbmd0aA=="
CANVAS_OBJECTS = ("Science, periods", "Warm-up")

PEOPLE = (STUDENT, "Quackenbush", "canary.example", str(SCORE), *CANVAS_OBJECTS)
SECRETS = (PASSWORD, METRICS_TOKEN, REDIS_PASSWORD, WEBHOOK_SECRET.removeprefix("whsec_"))
SPOKEN = f"Score {SCORE} of '{STUDENT} Quackenbush' <{MAIL}> for '{WORK}' is not allowed for Student.id [8101]"


def found(text: str, canaries: Iterable[str]) -> list[str]:
    """Return the canaries in the text, each with what is around it."""
    return [f"{one}: …{text[max(0, at - 120) : at + 120]}…" for one in canaries if (at := text.find(one)) >= 0]

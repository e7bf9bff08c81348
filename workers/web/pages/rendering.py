"""Renders the templates, and formats times, states and targets for them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from shared.clock import Clock
from shared.domain.outcome import DeadLetter, DeadLetterKind
from shared.domain.passback.audit import grader_text, triggers_text
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.student_status import sentence_of
from shared.domain.wording import describe
from workers.grade_passback.operations.preview import score_text

STATIC = Path(str(resources.files(__package__) / "static"))


class Renderer:
    """Renders templates. Times are in the district's time zone, UTC where none is set."""

    def __init__(self, clock: Clock, zone: tzinfo | None, canvas_url: str) -> None:
        self._clock = clock
        self._zone = zone or UTC
        # Made once: templates do not change while the process runs.
        self._environment = Environment(
            loader=PackageLoader(__package__ or "workers.web.pages"),
            autoescape=select_autoescape(default_for_string=True, default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            {"time": self._time, "ago": self._ago, "hour": self._hour, "weekday": self._weekday,
             "timestamp": _timestamp, "describe": describe,
             "label": _label, "target": target_text, "code": _code, "about": _about,
             "field": lambda name: WrittenField(name).label, "sentence": sentence_of, "triggers": triggers_text,
             "grader": grader_text,
             "score": score_text}
        )  # fmt: skip
        self._environment.globals.update(
            # The sandbox, which is asked without TLS, has no pages.
            canvas_url=canvas_url.rstrip("/") if canvas_url.startswith("https://") else "",
            asset=_asset(), zone_name=str(self._zone), now=self._clock.now,
        )  # fmt: skip

    def page(self, template: str, status_code: int, /, **values: object) -> HTMLResponse:
        """Return the page that the template makes of these values."""
        return HTMLResponse(self._environment.get_template(template).render(**values), status_code)

    def _time(self, at: datetime | None) -> Markup | str:
        """Return a time in the district's time zone; the day only where it is not today."""
        if at is None:
            return "never"
        today = self._clock.now().astimezone(self._zone).date()
        return self._element(at, "%H:%M:%S" if at.astimezone(self._zone).date() == today else "%Y-%m-%d %H:%M")

    def _weekday(self, at: datetime) -> Markup:
        """Return a time with its weekday; with its date if it is older than six days."""
        is_recent = self._clock.now() - at < timedelta(days=6)
        return self._element(at, "%A %H:%M" if is_recent else "%Y-%m-%d %H:%M")

    def _element(self, at: datetime, format_: str) -> Markup:
        shown = at.astimezone(self._zone).strftime(format_)
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)

    def _hour(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%H}:00"

    def _ago(self, at: datetime | None) -> Markup | str:
        if at is None:
            return "never"
        return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S}">{} ago</time>').format(
            at.isoformat(timespec="seconds"), at.astimezone(self._zone), describe(self._clock.now() - at)
        )


def _timestamp(at: str | None) -> datetime | None:
    """Return a time that JSON has as text."""
    return None if at is None else datetime.fromisoformat(at)


def target_text(target: str) -> str:
    """Return the target of an action or a pause as text."""
    known = {"passback": "everything", "pages": "", "dead_letters": "dead letters", "older_than": "what is old"}
    return known.get(target, target.replace(":", " "))


def _about(dead_letter: DeadLetter) -> str:
    """Return the subject of a dead letter as text."""
    if dead_letter.course_id:
        assignment = f", assignment {dead_letter.assignment_id}" if dead_letter.assignment_id else ""
        return f"Course {dead_letter.course_id}{assignment}"
    if dead_letter.kind is DeadLetterKind.MESSAGE:
        return f"Message of {dead_letter.source}"
    return f"{dead_letter.kind.capitalize()} {dead_letter.source}".strip()


def _code(text: str) -> Markup:
    """Return a sentence whose parts between backticks are code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _label(code: object) -> str:
    """Return a code such as `kept_back` as text."""
    return str(code).replace("_", " ").replace(":", " ")


def _asset() -> Callable[[str], str]:
    """Return a function from a file to its URL, which changes with the content: browsers may cache it forever."""
    versions = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in STATIC.iterdir() if path.is_file()
    }
    return lambda name: f"/static/{name}?v={versions[name]}"

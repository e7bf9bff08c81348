"""Log lines: one renderer for passback's own events and for those of libraries; both are redacted.

Exceptions are logged as fields: their types and stack, without their text, which may quote personal data.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TextIO
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.config import Settings
from shared.log_events import LogEvent

log = structlog.get_logger()

MAX_STACK_FRAMES = 25
KNOWN_ERRORS = ("Couldn't ack", "Couldn't reject")

MASK = "[redacted]"
# Shorter values would mask ordinary words; real secrets are longer.
MIN_KNOWN_SECRET = 6

_SENSITIVE = (
    r"(?:access[_-]?token|client[_-]?secret|api[_-]?key|authorization|cookie|credentials?|password|secret|token)"
)
_SECRET_FIELD = re.compile(rf"(?i)(?:^|[_-]){_SENSITIVE}s?$|(?:^|[_-])e[_-]?mail$")

# A longer text is cut to its whole words within so many characters, once the known secrets are out of it.
MAX_TEXT = 2_000
CUT = " …"

# Each begins only where a run of its characters begins, so that no text is scanned from each of its positions.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # User and password of a URL, then its query, which Canvas fills with tokens and searches with names.
    (re.compile(r"(://)[^/\s@]*@"), rf"\1{MASK}@"),
    (re.compile(r"(\bhttps?://[^\s?#\"'<>]{1,500})\?[^\s\"'#<>]*"), rf"\1?{MASK}"),
    (re.compile(r"(?<![\w.%+'-])[\w.%+'-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[\w-]{1,4000}\.[\w-]+(?:\.[\w-]*)?"), MASK),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), MASK),
    (re.compile(r"\b\d{1,6}~[A-Za-z0-9]{16,}"), MASK),  # A Canvas access token, with its shard in front.
    (re.compile(rf"(?i)\b({_SENSITIVE})([\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;)}}]+"), rf"\1\2{MASK}"),
    # Anything long and random-looking: letters and digits mixed, longer than a UUID.
    (re.compile(r"(?<![\w/~-])(?=[A-Za-z_~-]*\d)(?=[\d_~-]*[A-Za-z])[\w~-]{40,}"), MASK),
)


def redactor(secrets: Collection[str] = ()) -> Processor:
    """Return a structlog processor that masks `secrets` and whatever looks like one, in fields and in text.

    passback's own log lines carry ids only. This is for what libraries print, and for mistakes.
    Numbers, times and enumerations stay as they are. Field names decide too: a text under `password` is masked
    whatever it looks like.
    """
    known = [secret for secret in secrets if len(secret) >= MIN_KNOWN_SECRET]

    def masked(text: str) -> str:
        for secret in known:
            text = text.replace(secret, MASK)
        text = _cut(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def redact(_logger: WrappedLogger, _method: str, event: EventDict, /) -> EventDict:
        return {name: _redacted(name, value, masked) for name, value in event.items()}

    return redact


def _cut(text: str) -> str:
    """Return the text, or its whole words within `MAX_TEXT` characters: half of a secret does not look like one."""
    if len(text) <= MAX_TEXT:
        return text
    parts = text[:MAX_TEXT].rsplit(maxsplit=1)
    return f"{parts[0] if len(parts) > 1 else MASK}{CUT}"


def _redacted(name: str, value: object, masked: Callable[[str], str]) -> object:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return MASK if value and _SECRET_FIELD.search(name) else masked(value)
    if isinstance(value, Mapping):
        return {str(key): _redacted(str(key), item, masked) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(name, item, masked) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(str(value))


def exception_fields(error: BaseException) -> dict[str, object]:
    """Return `error`, the types from the last to the first cause, and `way`: files, lines and functions."""
    return {"error": " from ".join(_kinds(error)), "way": _stack(error)[-MAX_STACK_FRAMES:]}


def drop_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace a traceback by its fields. A structlog processor."""
    given = event.pop("exc_info", None)
    error = _error_in(given)
    if error is None:
        return event
    return {**event, **{name: value for name, value in exception_fields(error).items() if name not in event}}


def log_uncaught() -> None:
    """Log uncaught exceptions of any thread, instead of printing them with their text."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.error(LogEvent.PROCESS_CRASHED, thread="main", **exception_fields(error))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is None or isinstance(given.exc_value, SystemExit):
        return
    thread = given.thread.name if given.thread else "gone"
    log.error(LogEvent.PROCESS_CRASHED, thread=thread, **exception_fields(given.exc_value))


def _error_in(given: object) -> BaseException | None:
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exception()
    return None


def _kinds(error: BaseException) -> list[str]:
    kinds, at = list[str](), error
    # A chain of causes may lead in a circle, in theory.
    while len(kinds) < MAX_STACK_FRAMES:
        kinds.append(type(at).__name__)
        following = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
        if following is None:
            break
        at = following
    return kinds


def _stack(error: BaseException) -> list[str]:
    return [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]


def drop_exception_texts(record: logging.LogRecord) -> bool:
    """Replace exceptions among a library's log arguments by their types: their texts may quote data. A log filter."""
    if isinstance(record.msg, BaseException):
        record.msg = type(record.msg).__name__
    if isinstance(record.args, tuple):
        record.args = tuple(_type_of_exception(argument) for argument in record.args)
    elif isinstance(record.args, dict):
        record.args = {name: _type_of_exception(argument) for name, argument in record.args.items()}
    return True


def _type_of_exception(argument: object) -> object:
    # Celery's ExceptionInfo holds the exception as an attribute, and prints it with its traceback.
    inner = getattr(argument, "exception", None)
    for candidate in (argument, inner):
        if isinstance(candidate, BaseException):
            return type(candidate).__name__
    return argument


def downgrade_known_errors(record: logging.LogRecord) -> bool:
    """Make warnings of errors that Celery calls critical and passback expects. A log filter.

    A worker whose Redis went away could not acknowledge what it was doing. The message is a hint, and comes again.
    """
    if record.levelno > logging.WARNING and str(record.msg).startswith(KNOWN_ERRORS):
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
    return True


# These log each unit of work again, or print full URLs; passback logs it once, with ids only.
QUIET_LOGGERS = ("httpx", "httpcore", "uvicorn.access", "celery.worker.strategy", "tornado.access")
# These print the text of whatever was raised; signals and the fields beside the line say it without.
SILENT_LOGGERS = ("celery.app.trace",)
# What these write after their first line is the repr of an exception.
ONE_LINE_LOGGERS = ("asyncio",)


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard error), as the settings say. May be repeated."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(settings, stream))
    handler.addFilter(downgrade_known_errors)
    handler.addFilter(drop_exception_texts)
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in SILENT_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_stamps(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def route_celery_logs() -> None:
    """Keep Celery from installing handlers and levels of its own; its logs then reach the root logger's."""
    from celery import signals  # noqa: PLC0415  # slow to import, and most commands do without

    # Celery leaves logging alone as soon as anything is connected.
    signals.setup_logging.connect(_already_configured, weak=False, dispatch_uid="passback.logging")


def _already_configured(**_: object) -> None:
    pass


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret of these settings, for redaction: tokens, passwords, and Redis's password."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    redis_password = urlsplit(settings.redis_url).password or ""
    return [secret for secret in (*secrets, redis_password, unquote(redis_password)) if secret]


def _stamps() -> list[Processor]:
    return [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _formatter(settings: Settings, stream: TextIO) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            *_stamps(),
            _cut_to_one_line,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            drop_message,
            redactor(secrets_of(settings)),
            _renderer(stream),
        ],
    )


def _cut_to_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut what follows the first line of loggers that add an exception's text there."""
    if event.get("logger") in ONE_LINE_LOGGERS:
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _renderer(stream: TextIO) -> Processor:
    """Return the renderer for people on a terminal, else JSON."""
    return structlog.dev.ConsoleRenderer(colors=True) if stream.isatty() else structlog.processors.JSONRenderer()

"""Log lines: one renderer for passback's own events and for those of libraries; both are redacted."""

import logging
import sys
from typing import TextIO
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.adapters.telemetry.exceptions import downgrade_known_errors, drop_exception_texts, drop_message
from shared.adapters.telemetry.redaction import redactor
from shared.config import Settings

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

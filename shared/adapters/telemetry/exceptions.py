"""Logs exceptions as fields: their types and stack, without their text, which may quote personal data."""

import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

import structlog
from structlog.typing import EventDict, WrappedLogger

from shared.log_events import LogEvent

log = structlog.get_logger()

MAX_STACK_FRAMES = 25
KNOWN_ERRORS = ("Couldn't ack", "Couldn't reject")


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

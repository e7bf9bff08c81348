"""Explains the error that ended a command: what failed, why, and what to do; and chooses the exit code."""

import sys

import structlog
import typer
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.adapters.redis.remote_limits.outages import SYSTEM_NAMES
from shared.adapters.telemetry.logging import configure_logging, exception_fields
from shared.config import PREFIX, ConfigurationError, Settings
from shared.domain.causes import Cause
from shared.errors import (
    AccessDenied,
    CourseGone,
    NotInCourse,
    PassbackError,
    PermanentError,
    PersonUnknown,
    TransientError,
)
from shared.log_events import LogEvent
from workers.cli.terminal.output import ExitCode
from workers.cli.terminal.printable import printable
from workers.dev.process_group import ProcessDied
from workers.doctor.network import exception_chain, network_cause
from workers.erasure import SyncsRunning
from workers.grade_passback.operations.categories import InvalidMapping
from workers.provisioning.service import InvalidOperation, UnknownRun

log = structlog.get_logger()

Explanation = tuple[str, ExitCode]

# Their messages say what cannot be done, why, and what to do.
EXPLAINED_BY_MESSAGE = (InvalidMapping, InvalidOperation, ProcessDied, SyncsRunning)
REDIS_CAUSES: dict[type[BaseException], str] = {
    AuthenticationError: "it refuses the password",
    OutOfMemoryError: "its memory is full",
    ReadOnlyError: "it is a replica, which cannot be written",
}

UNEXPECTED = (
    "this is a defect of passback. Report it with the log line above, which has the stack and no personal data."
)
ACL_FIX = (
    f"Allow it all keys that begin with {PREFIX}REDIS_PREFIX, as deploy/redis/users.acl.in does, or correct the prefix."
)
SETTINGS_OF = {
    "canvas": ("URL", "TOKEN"),
    "powerschool": ("URL", "CLIENT_ID", "CLIENT_SECRET"),
}


def report(error: Exception) -> ExitCode:
    """Print the explanation to standard error and return the exit code. Log the stack of an unexpected error."""
    explanation = explain_error(error)
    if explanation is None:
        if not structlog.is_configured():
            configure_logging(Settings())
        fields = exception_fields(error)
        log.error(LogEvent.PROCESS_CRASHED, thread="main", **fields)
        explanation = f"unexpected error ({fields['error']}): {UNEXPECTED}", ExitCode.PROBLEMS
    text, code = explanation
    if text:
        sys.stderr.write("\n".join(f"passback: {printable(line)}" for line in text.splitlines()) + "\n")
    return code


def explain_error(error: Exception) -> Explanation | None:
    """Return the sentence and the exit code of an error that can be foreseen, None for any other."""
    match error:
        case typer.TyperException():
            return _usage(error)
        case typer.Abort():
            return "aborted: nothing more was done.", ExitCode.PROBLEMS
        case ConfigurationError():
            return str(error), ExitCode.USAGE
        case _ if isinstance(error, EXPLAINED_BY_MESSAGE):
            return str(error), ExitCode.USAGE if isinstance(error, UnknownRun) else ExitCode.PROBLEMS
        case _ if any(isinstance(each, RedisError) for each in exception_chain(error)):
            return _redis(error)
    return _remote_system(error) if isinstance(error, PassbackError) else _operating_system(error)


def _usage(error: typer.TyperException) -> Explanation:
    if type(error).__name__ == "NoArgsIsHelpError":
        # Typer has printed the help.
        return "", ExitCode.USAGE
    context = getattr(error, "ctx", None)
    path = "passback" if context is None else context.command_path
    # Pydantic, which reads Typer's choices, begins with the kind of error.
    said = error.format_message().replace(": Value error, ", ": ").rstrip(".")
    end = "" if said.endswith("?") else "."
    return f"{said}{end} See `{path} --help`.", ExitCode(error.exit_code)


def _redis(error: Exception) -> Explanation | None:
    chain = list(exception_chain(error))
    texts = " ".join(str(each) for each in chain if isinstance(each, RedisError))
    if any(isinstance(each, AuthenticationError) for each in chain):
        return (
            f"Redis refuses the user or the password. Correct {PREFIX}REDIS_URL or {PREFIX}REDIS_PASSWORD.",
            ExitCode.USAGE,
        )
    # A script's refusal is an error of its own, which only its text identifies.
    if any(isinstance(each, NoPermissionError) for each in chain) or "ACL failure" in texts or "NOPERM" in texts:
        return f"Redis's access list forbids passback's user a command or a key. {ACL_FIX}", ExitCode.USAGE
    if not any(isinstance(each, RedisConnectionError | RedisTimeoutError) for each in chain):
        return None
    of_redis = (text for kind, text in REDIS_CAUSES.items() if any(isinstance(each, kind) for each in chain))
    why = next(of_redis, "") or network_cause(error) or "the connection failed"
    return f"Redis does not answer: {why}. See whether it runs, and check {PREFIX}REDIS_URL.", ExitCode.PROBLEMS


def _remote_system(error: PassbackError) -> Explanation:
    if isinstance(error, CourseGone):
        return f"Canvas has no such course ({error}). Check its id.", ExitCode.USAGE
    if isinstance(error, NotInCourse):
        return f"{error}. Check the id.", ExitCode.USAGE
    if isinstance(error, PersonUnknown):
        return f"Canvas has nobody with this SIS id ({error}). Check it.", ExitCode.USAGE
    if not isinstance(error, TransientError | PermanentError):
        return str(error), ExitCode.PROBLEMS
    cause = Cause(error.cause)
    system = error.cause.partition("_")[0]
    variables = " and ".join(f"{PREFIX}{system.upper()}_{name}" for name in SETTINGS_OF.get(system, ()))
    check = f" Check {variables}; `passback doctor` finds out more." if variables else ""
    if isinstance(error, TransientError) and variables:
        name = SYSTEM_NAMES[system]
        why = network_cause(error)
        return f"{name} does not answer ({error}){f': {why}' if why else ''}.{check}", ExitCode.PROBLEMS
    code = ExitCode.USAGE if isinstance(error, AccessDenied) else ExitCode.PROBLEMS
    return f"{cause.meaning} ({error}){f' {cause.fix}' if cause.fix else ''}{check}", code


def _operating_system(error: Exception) -> Explanation | None:
    if not isinstance(error, OSError):
        return None
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}. Check the path and its permissions.", ExitCode.USAGE

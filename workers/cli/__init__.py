"""The `passback` command: a file per group of verbs. Exit code 0 success, 1 problems, 2 usage or settings."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def main() -> None:
    """Run the command line. An error ends it with one sentence and an exit code."""
    from shared.adapters.telemetry.logging import log_uncaught  # noqa: PLC0415
    from workers.runtime.process_end import one_failed  # noqa: PLC0415

    log_uncaught()
    try:
        with error_boundary():
            _command()()
    except SystemExit:
        if one_failed():
            sys.exit(1)
        raise
    if one_failed():
        sys.exit(1)


def _command() -> Callable[[], None]:
    """Return the command to run. Workers run long and have no options: they do not load the other verbs."""
    if sys.argv[1:] in (["worker"], ["provisioning-worker"]):
        from workers.cli import worker_processes  # noqa: PLC0415

        return worker_processes.worker if sys.argv[1] == "worker" else worker_processes.provisioning_worker
    from workers.cli.app import VERBS, command_line  # noqa: PLC0415

    return command_line(*(verb for verb in sys.argv[1:2] if verb in VERBS))


@contextmanager
def error_boundary() -> Iterator[None]:
    """End the process for any error of the block: print one sentence with cause and fix, exit with code 1 or 2.

    The one place where an error ends a command: never with a traceback.

    A broken pipe, a signal and an exit on purpose are not errors.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # whatever it is, a person gets one sentence
        # A worker process has no use for these modules until then.
        from workers.cli.terminal.error_text import report  # noqa: PLC0415

        sys.exit(report(error))

"""The one place where an error ends a command: with one sentence and an exit code, never with a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def error_boundary() -> Iterator[None]:
    """End the process for any error of the block: print one sentence with cause and fix, exit with code 1 or 2.

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

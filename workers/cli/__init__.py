"""The `passback` command: a file per group of verbs. `--json` on what reads; exit code 0 fine, 1 problems, 2 usage."""

import sys
from collections.abc import Callable


def main() -> None:
    """Run the command line; settings that are wrong end it with code 2 and a sentence that names the fix."""
    from shared.adapters.telemetry.exceptions import log_uncaught  # noqa: PLC0415
    from shared.config import ConfigurationError  # noqa: PLC0415  # `passback --help` should not wait for imports
    from workers.runtime.vital_threads import one_failed  # noqa: PLC0415

    log_uncaught()
    try:
        _command()()
    except SystemExit:
        if one_failed():
            sys.exit(1)
        raise
    except ConfigurationError as error:
        sys.stderr.write(f"passback: {error}\n")
        sys.exit(2)
    if one_failed():
        sys.exit(1)


def _command() -> Callable[[], None]:
    """Return what to run: a worker, which lives long and has no options, without the other verbs in its memory."""
    if sys.argv[1:] in (["worker"], ["provisioning-worker"]):
        from workers.cli import worker_processes  # noqa: PLC0415

        return worker_processes.worker if sys.argv[1] == "worker" else worker_processes.provisioning_worker
    from workers.cli.app import app  # noqa: PLC0415

    return app

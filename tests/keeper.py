"""Ends the processes of a test run or a benchmark that was killed.

A signal that can be caught unwinds the program, which then ends its processes. This process is for SIGKILL, by which
an interrupted pytest-xdist ends its workers after ten seconds. It polls the program's descendants every second, and
ends them once the pipe from the program is closed.
"""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import psutil

POLL_INTERVAL_S = 1.0
END_WITHIN_S = 5.0


@contextlib.contextmanager
def keeper() -> Iterator[None]:
    """Run a keeper while the block lasts, in a session of its own, so that no signal to this one reaches it."""
    command = [sys.executable, __file__, str(os.getpid())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(timeout=2 * END_WITHIN_S + POLL_INTERVAL_S)


def main() -> None:
    """Poll until the pipe closes; then end what is left."""
    program = psutil.Process(int(sys.argv[1]))
    print("looking", flush=True)
    seen: set[psutil.Process] = set()
    while not select.select([sys.stdin], [], [], POLL_INTERVAL_S)[0]:
        with contextlib.suppress(psutil.NoSuchProcess):
            seen |= set(program.children(recursive=True))
        # A process equals another only if it began at the same moment: a reused number is another process.
        seen = {process for process in seen if process.is_running() and process.pid != os.getpid()}
    end(seen)


def end(processes: set[psutil.Process]) -> None:
    """Terminate them, then kill what is left."""
    left = [process for process in processes if process.is_running()]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=END_WITHIN_S)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main()

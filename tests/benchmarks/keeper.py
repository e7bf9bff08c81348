"""Ends what a benchmark started, should the benchmark itself be killed before it could.

A signal that can be caught unwinds the benchmark, and whatever it started is ended on the way out. This process is for
those that cannot be: it looks at the benchmark's descendants twice a second, and once the pipe from the benchmark is
closed, which the kernel does for the dead too, it ends those that are still there.
"""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import psutil

LOOK_EVERY_S = 0.5
END_WITHIN_S = 5.0


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Have a keeper for as long as the block lasts. In a session of its own: no signal to this process's reaches it."""
    command = [sys.executable, __file__, str(os.getpid())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdout.readline()
        try:
            yield
        finally:
            keeper.stdin.close()
            keeper.wait(timeout=2 * END_WITHIN_S + LOOK_EVERY_S)


def main() -> None:
    """Look until the pipe closes; then end what is left."""
    benchmark = psutil.Process(int(sys.argv[1]))
    print("looking", flush=True)
    seen: set[psutil.Process] = set()
    while not select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]:
        with contextlib.suppress(psutil.NoSuchProcess):
            seen |= set(benchmark.children(recursive=True))
        # A process equals another only if it began at the same moment: a number used again is nobody we know.
        seen = {process for process in seen if process.is_running() and process.pid != os.getpid()}
    end(seen)


def end(processes: set[psutil.Process]) -> None:
    """End them: politely, then for certain."""
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

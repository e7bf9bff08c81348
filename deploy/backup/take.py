"""Takes a backup of passback's Redis: `python -m deploy.backup.take redis://backup@127.0.0.1:6379 FOLDER`.

The password of the user `backup` is read from the file that `--password-file` names. FOLDER gets a folder named by the
time, in UTC, which `deploy/backup/drill.py` can look at.
"""

import argparse
import sys
from pathlib import Path

import redis

from deploy.backup.aof import BackupFailed, take
from shared.clock import SystemClock


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--data", type=Path, help="where Redis's directory is seen from here")
    wanted = parser.parse_args()
    password = wanted.password_file.read_text().strip() if wanted.password_file else None
    into = wanted.folder / f"{SystemClock().now():%Y%m%dT%H%M%SZ}"
    into.mkdir(mode=0o700)
    try:
        with redis.Redis.from_url(wanted.url, password=password, socket_timeout=10) as client:
            print(take(client, into, wanted.data))
    except BackupFailed as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

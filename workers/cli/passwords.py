"""The verb `password`: the hash to configure instead of a password."""

import sys
from getpass import getpass

import typer

SHORTEST = 12


def password() -> None:
    """Ask for a password and print its Argon2 hash, for PASSBACK_OPERATOR_PASSWORD or PASSBACK_VIEWER_PASSWORD.

    Where there is no terminal, the password is read from standard input.
    """
    from workers.web.auth.passwords import hashed  # noqa: PLC0415  # loaded late, so that `--help` is quick

    given = _asked() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if len(given) < SHORTEST:
        raise typer.BadParameter(f"at least {SHORTEST} characters, please", param_hint="password")
    typer.echo(hashed(given))


def _asked() -> str:
    given = getpass("Password: ")
    if getpass("Once more: ") != given:
        raise typer.BadParameter("these were two different ones", param_hint="password")
    return given

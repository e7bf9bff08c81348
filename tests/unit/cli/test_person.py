"""Who runs a command is the person, also behind sudo, su and a service account."""

import os
import pwd
from types import SimpleNamespace

import pytest

from workers.cli import options as module


@pytest.mark.parametrize(
    ("sudo_user", "login", "account", "expected"),
    [
        (None, "rivera", "rivera", "rivera"),
        ("rivera", "rivera", "root", "rivera"),
        ("rivera", None, "passback", "rivera"),
        # `sudo -i`, then `sudo -u passback`: only the session still knows the person.
        ("root", "rivera", "passback", "rivera"),
        (None, "rivera", "passback", "rivera"),
        ("root", None, "passback", "root"),
        (None, "root", "root", "root"),
        ("", None, "passback", "passback"),
    ],
)
def test_the_person_counts(
    monkeypatch: pytest.MonkeyPatch, sudo_user: str | None, login: str | None, account: str, expected: str
) -> None:
    """SUDO_USER, then the login of the session, then the account of the process."""

    def session_login() -> str:
        if login is None:
            raise OSError("no terminal")
        return login

    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo_user is not None:
        monkeypatch.setenv("SUDO_USER", sudo_user)
    monkeypatch.setattr(os, "getlogin", session_login)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name=account))
    assert module.person() == expected


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number."""

    def unknown(_: int) -> object:
        raise KeyError("uid not found")

    def no_login() -> str:
        raise OSError("no terminal")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getlogin", no_login)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert module.person() == f"user {os.geteuid()}"

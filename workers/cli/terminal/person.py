"""Finds out which person runs a command, also behind `sudo` and `su`."""

import os
import pwd


def person() -> str:
    """Return the login of the person who runs this command, for Actions and the history.

    `sudo` names the person in SUDO_USER. `su` and service accounts keep the login of the session, which `logname`
    prints. The account of the process counts only where there is no other: a timer, a container, a direct login.
    """
    account = _account()
    logins = [login for login in (os.environ.get("SUDO_USER", ""), _session_login()) if login]
    people = [login for login in logins if login not in (account, "root")]
    return next(iter([*people, *(login for login in logins if login != account)]), account)


def _session_login() -> str:
    try:
        return os.getlogin()
    except OSError:
        # No session: a timer, a container.
        return ""


def _account() -> str:
    user_id = os.geteuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        # Some containers run under a number that has no name.
        return f"user {user_id}"

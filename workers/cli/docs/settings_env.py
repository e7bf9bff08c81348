"""`.env.example`, from the settings themselves."""

from textwrap import wrap

from pydantic.fields import FieldInfo

from shared.config import CANVAS_SETTINGS, POWERSCHOOL_SETTINGS, PREFIX, Settings
from workers.cli.docs.settings_table import default_of

WIDTH = 100
NEEDED = (*CANVAS_SETTINGS, "canvas_root_account_uuid", *POWERSCHOOL_SETTINGS, "district_time_zone")
HEAD = f"""\
# The settings of passback, with their defaults. Copy this file to .env and fill in what is not commented out: an
# installation needs that much. Made by `passback settings --env`.
#
# Passwords, tokens and secrets are better kept in files, one each, named like the variable, in the directory that
# {PREFIX}SECRETS_DIR names, which is set in the environment itself. Their lines here must go then: an empty one wins.
"""


def settings_env() -> str:
    """Return an environment file with every setting: what is needed to be filled in, the rest as a comment."""
    needed = {name: Settings.model_fields[name] for name in NEEDED}
    remainder = {name: field for name, field in Settings.model_fields.items() if name not in needed}
    return "\n".join([HEAD, *(_paragraph(name, field) for name, field in {**needed, **remainder}.items())])


def _paragraph(name: str, field: FieldInfo) -> str:
    comment = wrap(field.description or "", WIDTH, initial_indent="# ", subsequent_indent="# ")
    prefix = "" if name in NEEDED else "#"
    return "\n".join([*comment, f"{prefix}{PREFIX}{name.upper()}={default_of(field.default)}\n"])

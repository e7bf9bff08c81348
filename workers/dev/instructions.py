"""What `passback up` and `passback demo --keep` say of the processes that they started: how to use them."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared.config import PREFIX
from shared.sandbox.canvas.state import SERVICE_USER_ID
from shared.sandbox.district.small import Ids, user_id_of

PROGRAM = "passback"


def this_command() -> str:
    """Return how this command is called from this folder, for texts that say what to run next."""
    given = Path(sys.argv[0])
    if given.name != PROGRAM:
        return PROGRAM
    if given.is_absolute() and given.is_relative_to(Path.cwd()):
        return shlex.quote(str(given.relative_to(Path.cwd())))
    found = shutil.which(PROGRAM)
    return PROGRAM if found and given.exists() and Path(found).samefile(given) else shlex.quote(str(given))


def write_environment(folder: Path, environ: Mapping[str, str]) -> Path:
    """Write a file for a shell's `.` command and return its path.

    It exports the settings in `environ` and puts the folder of this program first on PATH. Only this account can
    read it.
    """
    given = Path(sys.argv[0])
    programs = given.absolute().parent if given.name == PROGRAM else Path(sys.executable).parent
    lines = [f"export {name}={shlex.quote(environ[name])}" for name in sorted(environ) if name.startswith(PREFIX)]
    path = folder / "env"
    path.touch(mode=0o600)
    path.write_text("\n".join([*lines, f'export PATH={shlex.quote(str(programs))}:"$PATH"', ""]))
    return path


def how_to_use(environment: Path, web: str, password: str, *, sandboxes: bool) -> Iterator[str]:
    """Yield lines that say where the pages are, and what to paste into another terminal.

    `password` is the operator's if it was generated, else empty.
    """
    course, assignment, student = Ids.COURSE, Ids.ESSAY_DRAFT, Ids.STUDENTS_A[0]
    yield f"The page:  {web}{f'/courses/{course}' if sandboxes else ''}"
    yield f"  sign in as operator with the password {password or 'that is configured'}"
    yield "In another terminal, paste"
    yield f"  . {environment}"
    if sandboxes:
        yield f"  {PROGRAM} sandbox grade {course} {assignment} {student} 18"
        yield f"and then, as you like: {PROGRAM} explain {course}, {PROGRAM} history {course},"
        yield f"{PROGRAM} status, {PROGRAM} doctor, {PROGRAM} sandbox --help"
    else:
        yield f"  {PROGRAM} status"


def inside_canvas(canvas: str) -> Iterator[str]:
    """Yield lines that say where passback is inside the sandbox Canvas, and as whom to open it."""
    course, student = f"{canvas}/courses/{Ids.COURSE}", user_id_of(Ids.STUDENTS_A[0])
    yield '\nInside Canvas: "PowerSchool sync" in the menu, and Sync in the Gradebook'
    yield f"  open as teacher: {course}?as={Ids.CANVAS_TEACHER}"
    yield f"  open as student: {course}/external_tools/1?as={student}"
    yield f"  open as administrator: {canvas}/accounts/1?as={SERVICE_USER_ID}"

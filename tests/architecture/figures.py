"""Counts how large and how plainly named the code is. The figures are printed, nothing is enforced.

    python -m tests.architecture.figures
    python -m tests.architecture.figures --names

Sends a grade through the receivers, the dispatcher and a sync against the sandbox in one process, and counts the
modules whose functions ran. `--names` also prints these modules and the identifiers that contain a private word.
"""

import argparse
import ast
import io
import re
import sys
import tempfile
import threading
import time
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from shared.clock import SystemClock
from shared.config import Settings, load
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import Ids, small_district, user_id_of
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.architecture.project import ROOT, files
from tests.integration.sandbox_server import served
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.sandbox import point_events, sandbox_settings, sandbox_today
from workers.grade_passback.dispatcher import Dispatcher
from workers.web.app import web_app

PACKAGES = ("workers", "shared")
PRIVATE_WORDS = """
acts ailing answer answered answers beat beating chosen defect desk dice door doors doubt doubtful enter fold
folded folds forget forgets forgotten frame frames gate gives graded heart held hint hints hold holds keep
keeper keeps kept leave left letter line look looked looks meant memory moment moments note noted notes occasion
ours own passage place places purge purged recall remember remembered rest sentences sick sign signs some spoken
standing standings stay stays survey surveyor tally tells told trouble troubles turn untold unwell wake ways
whereabouts whole woken words
"""
# Terms of Python, Celery, Redis, Canvas, PowerSchool and of the glossary that contain such a word. LTI and OpenID
# Connect have login_hint, message_hint and keys that sign; HTTP has frame_ancestors; Canvas has token_hint and
# graded_by; PowerSchool has the letter of a grade; csv has line_num.
STANDARD_TERMS = re.compile(
    r"dead_?letter|sign_(in|out)|\b(still_)?(hold|held)(_|s?\b)|hold_?reason|is_held|beat_schedule|decimal_places|not_graded|place_students|left_school|oneline"
    r"|(first|start|request|response|param|out|one|shard|command)_?(line|hint|of_?memory)|redis_memory|memory_?gauge"
    r"|margin_left|keep_running|\b_?((score|checked|cost)_)?line\b|\b_?memory\b|\bpurge\b|\bfold\b"
    r"|(login|message|token|max)_hints?|frame_ancestors|progress_?line|memory_share|line_num|graded_by|\b_?(sign|letter)\b|\bhints\b"
    r"|keep_blank_values|letter_grade|bisect_left|tb_frame|stack_frames|enter_context|__enter__|\bbeat\b|param_hint",
    re.IGNORECASE,
)
SETTLED_WITHIN_S = 60.0

Trace = Callable[[FrameType, str, Any], None]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--names", action="store_true", help="print modules and identifiers as well")
    chosen = parser.parse_args()
    code, sandbox = list(modules(sandbox=False)), list(modules(sandbox=True))
    passed = modules_of_a_grade()
    found = private_identifiers(code)
    scores, keys = classes_named(code, r"Score(?!d)(?!\w*Step)"), classes_named(code, r"Key$|Place$")
    rows = {
        "lines of workers and shared without the sandbox": sum(map(lines, code)),
        "lines of the sandbox": sum(map(lines, sandbox)),
        "classes without the sandbox": sum(len(classes(path)) for path in code),
        "modules that a grade passes, from HTTP to PowerSchool": len(passed),
        "score types of the domain and its ports": f"{len(scores)} ({', '.join(scores)})",
        "key types of the domain and its ports": f"{len(keys)} ({', '.join(keys)})",
        "files in the largest folder": "{1} ({0})".format(*largest_folder()),
        "settings": len(Settings.model_fields),
        "lines of the README": lines(ROOT / "README.md"),
        "identifiers with a private word": len(found),
    }
    for name, value in rows.items():
        print(f"{name:56} {value}")
    if chosen.names:
        print("\nModules that a grade passes:", *passed, sep="\n  ")
        print(
            "\nIdentifiers with a private word:",
            *(f"{name} ({count})" for name, count in found.most_common()),
            sep="\n  ",
        )


def modules(*, sandbox: bool) -> Iterator[Path]:
    """Yield the modules of the product: those of the sandbox, or all others."""
    for package in PACKAGES:
        yield from (path for path in files(".py", under=package) if ("sandbox" in path.parts) is sandbox)


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text().splitlines())


def classes(path: Path) -> list[str]:
    """Return the names of a module's classes."""
    return [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def classes_named(paths: Iterable[Path], pattern: str) -> list[str]:
    """Return the names of the classes and type aliases of passback's domain and ports that match."""
    rooms = ("shared/domain/passback/", "shared/ports/")
    inside = [path for path in paths if path.relative_to(ROOT).as_posix().startswith(rooms)]
    return sorted(name for path in inside for name in [*classes(path), *aliases(path)] if re.search(pattern, name))


def aliases(path: Path) -> list[str]:
    """Return the names of a module's type aliases: what it assigns to a name in CamelCase."""
    targets = (node.targets[0] for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign))
    return [each.id for each in targets if isinstance(each, ast.Name) and re.fullmatch(r"([A-Z][a-z]+)+", each.id)]


def largest_folder() -> tuple[str, int]:
    """Return the folder of the product with the most files of its own, and how many they are."""
    folders = Counter(path.parent.relative_to(ROOT).as_posix() for package in PACKAGES for path in files(under=package))
    return folders.most_common(1)[0]


def private_identifiers(paths: Iterable[Path]) -> Counter[str]:
    """Return the identifiers that contain a private word, with how often each occurs."""
    found: Counter[str] = Counter()
    words = frozenset(PRIVATE_WORDS.split())
    for path in paths:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME:
                found[token.string] += bool(words & set(parts(STANDARD_TERMS.sub("", token.string))))
    return +found


def parts(name: str) -> list[str]:
    """Return the words of an identifier, in lower case."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)]


def modules_of_a_grade() -> list[str]:
    """Return the modules whose functions run for a second grade: what the first one makes once is not of its way."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            seen.add(frame.f_code.co_filename)

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with running(note) as send:
        send(7)
        seen.clear()
        send(8)
        passed = [Path(name) for name in seen]
    ours = {path.relative_to(ROOT).as_posix() for path in passed if path.is_relative_to(ROOT)}
    return sorted(name for name in ours if name.startswith(PACKAGES) and "sandbox" not in name and "/dev/" not in name)


@contextmanager
def running(trace: Trace) -> Iterator[Callable[[float], None]]:
    """Yield what enters a score in the sandbox and returns once it is in PowerSchool. `trace` profiles every thread."""
    with ExitStack() as stack:
        district = small_district(*sandbox_today())
        canvas = stack.enter_context(served(canvas_app(district.canvas), has_lifespan=True))
        powerschool = stack.enter_context(served(powerschool_app(district.powerschool)))
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        given = {**sandbox_settings(canvas, powerschool), "PASSBACK_REDIS_URL": redis.url}
        stage = stack.enter_context(closing(DemoClient(canvas, powerschool, SystemClock())))
        stack.callback(threading.setprofile, None)
        threading.setprofile(trace)
        settings = load(given, Path(tempfile.gettempdir()) / "no-such.env")
        point_events(canvas, stack.enter_context(served(web_app(settings), has_lifespan=True)))
        service = stack.enter_context(closing(Container(settings)))
        dispatcher = Dispatcher(service.changes, service.sync_job.run, "figures", 1)
        stack.callback(sys.setprofile, None)

        def send(score: float) -> None:
            stage.grade("figures", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), score)
            writes = len(stage.writes())
            until = time.monotonic() + SETTLED_WITHIN_S
            sys.setprofile(trace)
            while not dispatcher.run_once() and time.monotonic() < until:
                pass
            sys.setprofile(None)
            if len(stage.writes()) == writes:
                raise SystemExit("the grade did not arrive")

        yield send


if __name__ == "__main__":
    main()

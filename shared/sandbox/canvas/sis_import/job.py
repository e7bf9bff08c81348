"""One SIS import: from its upload, row by row, to what it reports.

Source: canvas-lms app/models/sis_batch.rb; Canvas "SIS Imports API" and "SIS Import Errors API".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

from shared.sandbox.canvas.actions.course_actions import CourseActions
from shared.sandbox.canvas.live_events.envelope import SIS_JOB, Origin
from shared.sandbox.canvas.rest.throttle import Fate
from shared.sandbox.canvas.sis_import.files import (
    MAX_BREACHES,
    TOO_DIFFERENT,
    TOO_MANY_BREACHES,
    DropStatuses,
    Line,
    SisFile,
    UnusableUpload,
    Upload,
    difference,
    size_difference,
)
from shared.sandbox.canvas.sis_import.people_rows import apply_enrollment, apply_user
from shared.sandbox.canvas.sis_import.records import RowProblem, StateChange, Work
from shared.sandbox.canvas.sis_import.structure_rows import (
    apply_account,
    apply_change_sis_id,
    apply_course,
    apply_section,
    apply_term,
)
from shared.sandbox.canvas.state import SERVICE_USER_ID

APPLY: Final[Mapping[str, Callable[[Work, Line], None]]] = {
    "change_sis_id": apply_change_sis_id,
    "account": apply_account,
    "term": apply_term,
    "course": apply_course,
    "section": apply_section,
    "user": apply_user,
    "enrollment": apply_enrollment,
}
SUCCEEDED: Final = ("imported", "imported_with_messages")
NOT_COMPLETED: Final = ("initializing", "created", "importing", "cleanup_batch")

SUPPORT: Final = "Error while importing CSV. Please contact support. (Error report {})"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What was asked for. `identifier` is the `diffing_data_set_identifier`, `user_id` who asked."""

    upload: Upload
    override_sis_stickiness: bool = False
    identifier: str | None = None
    remaster: bool = False
    drop: DropStatuses = field(default_factory=DropStatuses)
    change_threshold: int | None = None
    user_id: int = SERVICE_USER_ID


@dataclass(frozen=True, slots=True)
class ImportMessage:
    """One entry of the errors of an import; `row` is None for a whole file, `file` for the whole import."""

    at: datetime
    file: str | None
    row: int | None
    message: str
    row_info: str | None
    failure: bool


@dataclass
class SisImport:
    """An import and how far it is. `base` is the import it was compared with, `has_diff` says that it was."""

    id: int
    request: ImportRequest
    created_at: datetime
    workflow_state: str = "created"
    progress: int = 0
    updated_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    errors: list[ImportMessage] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    supplied: list[str] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    base: "SisImport | None" = None
    has_diff: bool = False
    threshold_exceeded: bool = False
    fate: Fate | None = None

    def __post_init__(self) -> None:
        self.updated_at = self.created_at
        self._rows: Iterator[None] = iter(())
        self._total = 0
        self._done = 0

    @property
    def succeeded(self) -> bool:
        """Say whether later imports may be compared with this one."""
        return self.workflow_state in SUCCEEDED

    def start(self, canvas: CourseActions, earlier: Sequence["SisImport"], at: datetime, fate: Fate | None) -> None:
        """Read the upload, and compare it with the base that `earlier` imports of its data set left."""
        self.workflow_state, self.started_at, self.updated_at, self.fate = "importing", at, at, fate
        try:
            files = self._files(earlier)
        except UnusableUpload:
            # What Canvas says about a zip that inflates too much is inferred from how it reports any exception.
            self.add_message(canvas.clock.now(), None, SUPPORT.format(self.id), failure=True)
            files = []
        self.supplied = list(dict.fromkeys(file.kind for file in files))
        self._total = sum(len(file.lines) for file in files)
        self._rows = self._applying(canvas, files)

    def advance(self, share: float, at: datetime) -> None:
        """Apply the rows up to a share of all, between 0 and 1."""
        until = int(self._total * share)
        while self._done < until:
            next(self._rows)
            self._done += 1
        self.progress, self.updated_at = int(100 * share), at

    def finish(self, at: datetime) -> None:
        """End as the fate says, else by what the rows gave."""
        if self.fate is not None:
            self.advance(self.fate.after, at)
            self._end(self.fate.state, at)
            if self.fate.state == "failed_with_messages":
                self.add_message(at, None, SUPPORT.format(self.id), failure=True)
            return
        self.advance(1, at)
        failed = any(error.failure for error in self.errors)
        self._end(("failed" if failed else "imported") + ("_with_messages" if self.errors else ""), at)

    def abort(self, at: datetime) -> None:
        """Stop where it is: rows that were applied stay applied."""
        self.workflow_state, self.updated_at = "aborted", at

    def add_message(
        self, at: datetime, file: str | None, message: str, row: Line | None = None, *, failure: bool = False
    ) -> None:
        """Add an error or a warning."""
        number, text = (row.number, row.text) if row else (None, None)
        self.errors.append(ImportMessage(at, file, number, message, text, failure))

    def _end(self, state: str, at: datetime) -> None:
        self.workflow_state, self.ended_at, self.updated_at = state, at, at

    def _files(self, earlier: Sequence["SisImport"]) -> list[SisFile]:
        upload, at = self.request.upload, self.started_at or self.created_at
        files, problems = upload.read()
        base = None if self.request.remaster else base_of(earlier)
        if base is not None and not self._breaches(earlier, base, at):
            base_files, _ = base.request.upload.read()
            files, unlike = difference(files, base_files, self.request.drop)
            self.base, self.has_diff = base, True
            problems += unlike
        for problem in problems:
            self.add_message(at, problem.file, problem.message, failure=problem.is_failure)
        return [] if any(error.failure and error.file is None for error in self.errors) else files

    def _breaches(self, earlier: Sequence["SisImport"], base: "SisImport", at: datetime) -> bool:
        """Say whether the threshold forbids to compare; after five times in a row the import fails instead."""
        threshold = self.request.change_threshold
        if threshold is None or size_difference(self.request.upload.size, base.request.upload.size) <= threshold:
            return False
        self.threshold_exceeded = True
        if breaches_in_a_row(earlier) >= MAX_BREACHES:
            self.add_message(at, None, TOO_MANY_BREACHES, failure=True)
        else:
            self.add_message(at, None, TOO_DIFFERENT)
        return True

    def _applying(self, canvas: CourseActions, files: Sequence[SisFile]) -> Iterator[None]:
        """Apply a row per step. All rows of an import share the id of their job."""
        at: tuple[str, Line]

        def warn(message: str) -> None:
            self.add_message(canvas.clock.now(), at[0], message, at[1])

        work = Work(canvas, self.request.override_sis_stickiness, Origin(job_tag=SIS_JOB), warn, self.changes)
        for file in files:
            for line in file.lines:
                at = file.name, line
                self._apply(work, file.kind, line)
                yield

    def _apply(self, work: Work, kind: str, line: Line) -> None:
        if kind not in APPLY:
            work.warn(f"The sandbox does not import {kind} rows")
            return
        try:
            APPLY[kind](work, line)
        except RowProblem as problem:
            work.warn(str(problem))
        else:
            self.counts[f"{kind}s"] += 1

    def options_json(self) -> dict[str, Any]:
        """Return the parameters as the API repeats them."""
        asked = self.request
        return {
            "batch_mode": None,
            "batch_mode_term_id": None,
            "multi_term_batch_mode": None,
            "skip_deletes": False,
            "override_sis_stickiness": asked.override_sis_stickiness,
            "add_sis_stickiness": False,
            "clear_sis_stickiness": False,
            "update_sis_id_if_login_claimed": False,
            "diffing_data_set_identifier": asked.identifier,
            "diffing_remaster": asked.remaster if asked.identifier else None,
            "diffed_against_import_id": self.base.id if self.base else None,
            "diffing_drop_status": asked.drop.enrollments if asked.identifier else None,
            "diffing_user_remove_status": asked.drop.users if asked.identifier else None,
            "diffing_threshold_exceeded": self.threshold_exceeded,
            "change_threshold": asked.change_threshold,
            "diff_row_count_threshold": None,
        }


def base_of(earlier: Sequence[SisImport]) -> SisImport | None:
    """Return the import of the data set to compare with: the last that was compared or a remaster, else the first."""
    succeeded = [one for one in earlier if one.succeeded]
    joined = [one for one in succeeded if one.has_diff or one.request.remaster]
    return joined[-1] if joined else next(iter(succeeded), None)


def breaches_in_a_row(earlier: Sequence[SisImport]) -> int:
    """Return how many of the last imports of the data set were over their threshold, one after the other."""
    return len(list(takewhile(lambda one: one.threshold_exceeded, reversed(earlier))))

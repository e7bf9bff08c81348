"""Provisioning as the pages and the API show it: its runs, and what people decide about them."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.provisioning.rows.sis_rows import HEADERS
from shared.domain.provisioning.run import ChangedRow, DataSetChange, ImportMessage, Run
from workers.container import Container
from workers.provisioning.reports.changed_rows import ChangedDataSet
from workers.provisioning.service import InvalidOperation, ProvisioningService
from workers.web.views.provisioning import (
    ChangedRows,
    DataSetView,
    ImportMessageView,
    ProvisioningPages,
    RowView,
    RunView,
)


class ProvisioningSource:
    """The `ProvisioningPages` of an installation: its runs, and what people decide about them."""

    def __init__(self, desk: ProvisioningService) -> None:
        self._desk = desk

    def runs(self, limit: int) -> Sequence[RunView]:
        """Return the newest runs, the newest first."""
        return [run_view(run, self._desk.now()) for run in self._desk.runs(limit)]

    def run(self, run_id: str) -> RunView | None:
        """Return a run."""
        run = self._desk.run(run_id)
        return None if run is None else run_view(run, self._desk.now())

    def held_runs(self) -> Sequence[RunView]:
        """Return every run whose plan waits for a person."""
        return [run_view(run, self._desk.now()) for run in self._desk.held_runs()]

    def rows(self, run_id: str) -> Sequence[ChangedRows]:
        """Return the exact rows of a run's plan."""
        run = self._desk.run(run_id)
        return [] if run is None else [_changed(changed) for changed in self._desk.rows(run)]

    def troubles(self, run_id: str) -> Sequence[ImportMessageView]:
        """Return the rows that Canvas refused or warned about."""
        return [_trouble(trouble) for trouble in self._desk.troubles(run_id)]

    def approve(self, run_id: str, actor: str) -> bool:
        """Let a held plan be applied; False if it is not held any more."""
        try:
            self._desk.approve(run_id, actor)
        except InvalidOperation:
            return False
        return True

    def discard(self, run_id: str, actor: str) -> bool:
        """Close a held plan without applying it; False if it is not held any more."""
        try:
            self._desk.discard(run_id, actor)
        except InvalidOperation:
            return False
        return True


def provisioning_of(service: Container) -> ProvisioningPages:
    """Return the provisioning of this installation."""
    return ProvisioningSource(service.provisioning_desk)


def run_view(run: Run, now: datetime) -> RunView:
    """Return a run as it is shown. Why it is held, waits or failed are sentences, or codes where there are none."""
    told = [f"{hold.sentence} {hold.remedy}".strip() for hold in run.reasons]
    told += [f"It failed: {run.failure}. {run.answer}".strip()] if run.failure else []
    told += [f"It waits for {run.waits_for}. {run.answer}".strip()] if run.waits_for else []
    told += [f"{run.waits_on.sentence(now)}."] if run.waits_on else []
    return RunView(
        id=run.id,
        kind=run.kind.value,
        cause=run.cause.value,
        state=run.state.value,
        created_at=run.created_at,
        finished_at=run.finished_at,
        actor=run.actor,
        approved_by=run.approved_by,
        reasons=tuple(told),
        findings=tuple(f"{each.sentence} {each.text.remedy} ({each.source})" for each in run.problems),
        counts=dict(run.counts),
        changes=tuple(_data_set(change) for change in run.changes),
        refused_rows=sum(upload.failures for upload in run.uploads),
        warned_rows=sum(upload.warnings for upload in run.uploads),
        school_number=run.school_number,
        held_schools=run.held_schools,
    )


def _data_set(change: DataSetChange) -> DataSetView:
    return DataSetView(change.key.entity.value, change.key.term_sis_id, change.added, change.changed, change.removed)


def _changed(changed: ChangedDataSet) -> ChangedRows:
    rows = tuple(_row(row) for row in changed.rows)
    return ChangedRows(_data_set(changed.change), HEADERS[changed.change.key.entity], rows, changed.is_known)


def _row(row: ChangedRow) -> RowView:
    kept = row.after or row.before
    return RowView(
        row.before.values if row.before else (), row.after.values if row.after else (), kept.source if kept else ""
    )


def _trouble(trouble: ImportMessage) -> ImportMessageView:
    error = trouble.error
    explanation = f"{trouble.explanation} {trouble.remedy}".strip()
    return ImportMessageView(error.file, error.row, error.message, explanation, trouble.source, error.is_failure)

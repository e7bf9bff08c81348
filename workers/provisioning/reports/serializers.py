"""Runs and rows as the command line prints them, and as JSON. Rows hold names: for people who may see rosters."""

from collections.abc import Iterable, Sequence

from shared.domain.provisioning.problems import RosterProblem
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow
from shared.domain.provisioning.run import ChangedRow, DataSetChange, ImportMessage, Run, StoredHold, WaitedFor
from workers.provisioning.reports.changed_rows import ChangedDataSet
from workers.provisioning.reports.comparison import Comparison

Json = dict[str, object]


def run_summary(run: Run) -> Json:
    """Return a run in a line of the history."""
    return {
        "id": run.id,
        "kind": run.kind.value,
        "cause": run.cause.value,
        "state": run.state.value,
        "created_at": run.created_at.isoformat(),
        "added": sum(change.added for change in run.changes),
        "changed": sum(change.changed for change in run.changes),
        "removed": sum(change.removed for change in run.changes),
        "imports": sum(upload.import_id is not None for upload in run.uploads),
        "row_messages": sum(upload.failures + upload.warnings for upload in run.uploads),
        "school_number": run.school_number,
        "held_schools": list(run.held_schools),
        "why": run.failure or run.waits_for or ", ".join(dict.fromkeys(hold.code for hold in run.reasons)) or None,
    }


def run_json(run: Run, troubles: Iterable[ImportMessage] = ()) -> Json:
    """Return everything about a run but its rows."""
    return {
        **run_summary(run),
        "actor": run.actor or None,
        "approved_by": run.approved_by or None,
        "replanned": run.replanned,
        "rollback_of": run.rollback_of or None,
        "superseded_by": run.superseded_by or None,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "attempts": run.attempts,
        "not_before": run.not_before.isoformat() if run.not_before else None,
        "waits_on": _waited_for(run.waits_on),
        "answer": run.answer or None,
        "rows": dict(run.counts),
        "requests": dict(run.requests),
        "findings": dict(run.findings),
        "reasons": [_hold(hold) for hold in run.reasons],
        "problems": [_problem(problem) for problem in run.problems],
        "data_sets": [_counts(change) for change in run.changes],
        "uploads": [
            {
                "data_set_id": upload.data_set_id,
                "entities": [entity.value for entity in upload.entities],
                "data_sets": len(upload.parts),
                "state": upload.state.value,
                "import_id": upload.import_id,
                "import_state": upload.import_state.value if upload.import_state else None,
                "rows": upload.rows,
                "remaster": upload.options.remaster,
                "failures": upload.failures,
                "warnings": upload.warnings,
            }
            for upload in run.uploads
        ],
        "messages": [_import_message(trouble) for trouble in troubles],
    }


def comparison_json(compared: Comparison, rows: Sequence[ChangedDataSet]) -> Json:
    """Return what a dry run found: counts, doubts and exact rows."""
    return {
        "would_hold": bool(compared.holds),
        "held_schools": [school.school_number for school in compared.schools],
        "reasons": [_hold(hold) for hold in compared.holds],
        "findings": dict(compared.planned.findings),
        "problems": [_problem(problem) for problem in compared.planned.problems],
        "imports": len(compared.prepared),
        "data_sets": [changed_json(part) for part in rows],
    }


def changed_json(changed: ChangedDataSet) -> Json:
    """Return what changes in a data set, row by row."""
    entity = changed.change.key.entity
    return {
        **_counts(changed.change),
        "rows_are_known": changed.is_known,
        "changes": [_change(entity, row) for row in changed.rows],
    }


def _counts(change: DataSetChange) -> Json:
    return {
        "entity": change.key.entity.value,
        "term": change.key.term_sis_id or None,
        "added": change.added,
        "changed": change.changed,
        "removed": change.removed,
    }


def _change(entity: Entity, row: ChangedRow) -> Json:
    kept = row.after or row.before
    return {
        "source": kept.source if kept else None,
        "before": _named(entity, row.before),
        "after": _named(entity, row.after),
    }


def _named(entity: Entity, row: SisRow | None) -> dict[str, str] | None:
    return None if row is None else dict(zip(HEADERS[entity], row.values, strict=True))


def _hold(hold: StoredHold) -> Json:
    return {"code": hold.code, "message": hold.sentence, "remedy": hold.remedy, "school_number": hold.school_number}


def _waited_for(waits_on: WaitedFor | None) -> Json | None:
    if waits_on is None:
        return None
    return {
        "import_id": waits_on.import_id,
        "owner": waits_on.owner or None,
        "state": waits_on.state,
        "created_at": waits_on.created_at.isoformat(),
    }


def _problem(problem: RosterProblem) -> Json:
    return {
        "code": problem.code.value,
        "source": problem.source,
        "message": problem.sentence,
        "remedy": problem.text.remedy,
    }


def _import_message(trouble: ImportMessage) -> Json:
    return {
        "import_id": trouble.import_id,
        "file": trouble.error.file,
        "row": trouble.error.row,
        "source": trouble.source or None,
        "message": trouble.error.message,
        "explanation": trouble.explanation,
        "remedy": trouble.remedy,
        "is_failure": trouble.error.is_failure,
    }

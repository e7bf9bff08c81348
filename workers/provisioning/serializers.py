"""Serializes runs and rows: as JSON of the command line and of the API, and as sentences of the pages.

Rows hold names: only people who may see rosters get them.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.row_errors import ImportMessage
from shared.domain.provisioning.imports.sis_imports import DataSetChange, WaitedFor
from shared.domain.provisioning.problems import RosterProblem
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow
from shared.domain.provisioning.run import Run
from shared.domain.wording import counted
from workers.provisioning.changed_rows import ChangedDataSet
from workers.provisioning.comparison import MAX_PROBLEMS, Comparison

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
        "row_messages": run.refused_rows + run.warned_rows,
        "school_number": run.school_number,
        "held_schools": list(run.held_schools),
        "why": run.failure or run.waits_for or ", ".join(dict.fromkeys(hold.code for hold in run.reasons)) or None,
    }


def run_json(run: Run, messages: Iterable[ImportMessage] = ()) -> Json:
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
        "reasons": [_reason(hold) for hold in run.reasons],
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
        "messages": [_import_message(message) for message in messages],
    }


def comparison_json(compared: Comparison, rows: Iterable[ChangedDataSet]) -> Json:
    """Return what a dry run found: counts, reasons to hold and exact rows."""
    return {
        "would_hold": bool(compared.holds),
        "held_schools": [school.school_number for school in compared.schools],
        "reasons": [_reason(hold) for hold in compared.holds],
        "findings": compared.plan.findings,
        "problems": [_problem(problem) for problem in compared.plan.problems[:MAX_PROBLEMS]],
        "imports": len(compared.imports),
        "data_sets": [changed_json(part) for part in rows],
    }


def changed_json(changed: ChangedDataSet) -> Json:
    """Return what changes in a data set, row by row."""
    entity = changed.change.key.entity
    return {
        **_counts(changed.change),
        "rows_are_known": changed.is_known,
        "changes": [
            {"source": row.source, "before": _named(entity, row.before), "after": _named(entity, row.after)}
            for row in changed.rows
        ],
    }


def run_reasons(run: Run, now: datetime) -> list[str]:
    """Return why a run is held, waits or failed: sentences, or codes where there are none."""
    found = [f"{hold.sentence} {hold.remedy}".strip() for hold in run.reasons]
    found += [f"It failed: {run.failure}. {run.answer}".strip()] if run.failure else []
    found += [f"It waits for {run.waits_for}. {run.answer}".strip()] if run.waits_for else []
    found += [f"{run.waits_on.sentence(now)}."] if run.waits_on else []
    return found


def run_findings(run: Run) -> list[str]:
    """Return sentences about the first records that cannot go to Canvas as they are, with ids only."""
    return [f"{problem.sentence} {problem.code.remedy} ({problem.source})" for problem in run.problems]


def run_api_json(run: Run, now: datetime) -> Json:
    """Return a run as the API answers it; times are datetimes."""
    return {
        "id": run.id,
        "kind": run.kind.value,
        "cause": run.cause.value,
        "state": run.state.value,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "actor": run.actor,
        "approved_by": run.approved_by,
        "reasons": run_reasons(run, now),
        "findings": run_findings(run),
        "counts": dict(run.counts),
        "changes": [_api_counts(change) for change in run.changes],
        "refused_rows": run.refused_rows,
        "warned_rows": run.warned_rows,
        "school_number": run.school_number,
        "held_schools": list(run.held_schools),
    }


def rows_api_json(changed: ChangedDataSet) -> Json:
    """Return the rows of a data set as the API answers them: values by column, empty where a row is new or gone."""
    return {
        "data_set": _api_counts(changed.change),
        "columns": list(changed.columns),
        "rows": [
            {
                "before": list(row.before.values) if row.before else [],
                "after": list(row.after.values) if row.after else [],
                "source": row.source,
            }
            for row in changed.rows
        ],
        "is_known": changed.is_known,
    }


def message_api_json(message: ImportMessage) -> Json:
    """Return a row that Canvas refused or warned about as the API answers it."""
    return {
        "file": message.error.file,
        "row": message.error.row,
        "message": message.error.message,
        "explanation": f"{message.explanation} {message.remedy}".strip(),
        "source": message.source,
        "is_failure": message.error.is_failure,
    }


def counts_text(*changes: DataSetChange) -> str:
    """Return how many rows these changes concern: `3 rows added, 2 changed, 12 removed`."""
    added, changed, removed = (
        sum(getattr(change, field) for change in changes) for field in ("added", "changed", "removed")
    )
    return f"{counted(added, 'row')} added, {changed} changed, {removed} removed"


def _api_counts(change: DataSetChange) -> Json:
    return {**_counts(change), "term": change.key.term_sis_id}


def _counts(change: DataSetChange) -> Json:
    return {
        "entity": change.key.entity.value,
        "term": change.key.term_sis_id or None,
        "added": change.added,
        "changed": change.changed,
        "removed": change.removed,
    }


def _named(entity: Entity, row: SisRow | None) -> dict[str, str] | None:
    return None if row is None else dict(zip(HEADERS[entity], row.values, strict=True))


def _reason(hold: Hold) -> Json:
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
    code = problem.code
    return {"code": code.value, "source": problem.source, "message": problem.sentence, "remedy": code.remedy}


def _import_message(message: ImportMessage) -> Json:
    return {
        **message_api_json(message),
        "import_id": message.import_id,
        "source": message.source or None,
        "explanation": message.explanation,
        "remedy": message.remedy,
    }

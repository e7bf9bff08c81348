"""`passback verify`: proves that both gradebooks agree, or says where they do not and why."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from shared.adapters.redis.course_data.proofs import SignedProof
from shared.domain.passback.proof import Proof
from shared.domain.wording import counted
from workers.cli.district.progress import ProgressLine, cancellable
from workers.cli.district.selection import AllCourses, OptionalCourse, Selection, select_courses
from workers.cli.options import Actor, School, Term, UnlessSince, fail, services, time_option
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.container import Container
from workers.grade_passback.operations.verification.proofs import (
    ExportFailed,
    ProofExport,
    difference_sentence,
    proof_json,
)
from workers.grade_passback.operations.verification.verifier import Verification, VerificationProgress, verify_many
from workers.recorded_actions import RecordedActions

# How long a course may take to come to rest, while its changes are synced.
PATIENCE = timedelta(seconds=60)
MAX_NAMED = 20

Stored = Annotated[bool, typer.Option("--stored", help="Show the newest stored proofs; read neither system.")]
Export = Annotated[
    Path | None, typer.Option("--export", metavar="DIR", help="Write the proofs to a new directory, for a registrar.")
]
WithScores = Annotated[
    bool, typer.Option("--scores", help="With --export: also write both sides' scores. They are not stored.")
]
NoSync = Annotated[bool, typer.Option("--no-sync", help="Leave what differs as it is: make no course due.")]
PublicKey = Annotated[bool, typer.Option("--public-key", help="Print the public key that checks proofs.")]
KeyId = Annotated[
    str | None, typer.Option("--key-id", metavar="ID", help="With --public-key: that of the key with this id.")
]
NewKey = Annotated[
    bool, typer.Option("--new-key", help="Sign with a new key from now on; print its public key. Earlier proofs stay.")
]


def verify(
    course: OptionalCourse = None,
    school: School = None,
    term: Term = "",
    every: AllCourses = False,
    unless_since: UnlessSince = None,
    stored: Stored = False,
    export: Export = None,
    with_scores: WithScores = False,
    no_sync: NoSync = False,
    public_key: PublicKey = False,
    key_id: KeyId = None,
    new_key: NewKey = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Read both gradebooks back and prove that they agree, for a course, a school, a term or all.

    Writes nothing to PowerSchool. What differs becomes due, and its sync makes it equal. The exit code is 1 if
    something differs or could not be read. Proofs are signed, and stored for PASSBACK_AUDIT_DAYS.
    """
    if with_scores and (export is None or stored):
        raise typer.BadParameter("needs --export DIR, and a verification now", param_hint="--scores")
    if key_id is not None and not public_key:
        raise typer.BadParameter("needs --public-key", param_hint="--key-id")
    others = (course, school, term, every, unless_since, public_key, stored, export, no_sync)
    if new_key and any(each not in (None, False, "") for each in others):
        raise typer.BadParameter("takes no course and no other option", param_hint="--new-key")
    with services() as service:
        if new_key:
            typer.echo(RecordedActions(service, actor).replace_proof_key().public_pem, nl=False)
            return
        if public_key:
            typer.echo(_public_pem(service, key_id), nl=False)
            return
        selection = select_courses(service, course, school, term, every)
        directory = None if export is None else _directory(export, service)
        if stored:
            raise typer.Exit(_show_stored(service, selection, directory, as_json))
        since = None if unless_since is None else time_option(service, unless_since)
        started = service.clock.now()
        courses = selection.course_ids if since is None else _without_newer(service, selection.course_ids, since)
        actions = RecordedActions(service, actor)
        if courses:
            # Who took scores out of both systems is to be seen later.
            target = f"{selection.target}:scores" if with_scores else selection.target
            actions.begin_verification(target, len(courses))
        found: list[SignedProof] = []
        done = _verify_many(service, actions, courses, directory, found, with_scores=with_scores, makes_due=not no_sync)
        go_on = f"passback verify {selection.options} --unless-since {started:%Y-%m-%dT%H:%M:%SZ}"
        zone = service.settings.district_time_zone
        result = {
            "selected": done.selected,
            "proofs": [proof_json(each) for each in found],
            "failed": done.failed,
            "not_verified": done.remaining,
            "stopped": done.stopped or None,
            "exported_to": None if export is None else str(export),
        }
        emit(result, as_json, lambda _: "\n".join(_text(done, selection, go_on, zone, export)))
    raise typer.Exit(ExitCode.FINE if done.is_fine else ExitCode.PROBLEMS)


def _verify_many(
    service: Container,
    actions: RecordedActions,
    courses: tuple[str, ...],
    directory: ProofExport | None,
    found: list[SignedProof],
    *,
    with_scores: bool,
    makes_due: bool,
) -> VerificationProgress:
    line = ProgressLine()

    def report(progress: VerificationProgress, verification: Verification | None) -> None:
        line.show(progress_text(progress))
        if verification is None:
            return
        found.append(verification.signed)
        if directory is not None:
            summary = service.course_lists.find(verification.proof.course_id).summary
            directory.add(verification, summary, with_scores=with_scores)

    with cancellable() as cancelled:
        done = verify_many(
            courses,
            lambda course_id: actions.verify(course_id, PATIENCE, makes_due=makes_due),
            service.clock,
            service.changes.has_ready_courses,
            report,
            cancelled.is_set,
        )
    line.end()
    if directory is not None:
        directory.finish()
    return done


def _show_stored(service: Container, selection: Selection, directory: ProofExport | None, as_json: bool) -> ExitCode:
    """Show the newest stored proof of each course; the exit code is 1 where one has none, or was not equal."""
    found = service.proofs.newest_of(selection.course_ids)
    if directory is not None:
        for signed in found:
            directory.add_proof(signed, service.course_lists.find(signed.proof.course_id).summary)
        directory.finish()
    proofs, zone = [signed.proof for signed in found], service.settings.district_time_zone
    verified = {proof.course_id for proof in proofs}
    missing = [course_id for course_id in selection.course_ids if course_id not in verified]
    result = {"proofs": [proof_json(signed) for signed in found], "never_verified": missing}
    lines = [*(_line(proof, zone) for proof in proofs), *(f"course {one}: never verified" for one in missing)]
    emit(result, as_json, lambda _: "\n".join(lines))
    is_fine = not missing and all(proof.is_equal and proof.is_complete for proof in proofs)
    return ExitCode.FINE if is_fine else ExitCode.PROBLEMS


def progress_text(progress: VerificationProgress) -> str:
    """Return how far it is, in one line."""
    unequal = sum(not proof.is_equal for proof in progress.proofs)
    parts = [f"{len(progress.proofs)} of {counted(progress.selected, 'course')} verified"]
    parts += [f"{unequal} with differences"] if unequal else []
    parts += [f"{len(progress.failed)} not readable"] if progress.failed else []
    return ", ".join([*parts, f"{len(progress.remaining)} to go"])


def _text(
    done: VerificationProgress, selection: Selection, go_on: str, zone: tzinfo | None, export: Path | None
) -> Iterator[str]:
    unequal = [proof for proof in done.proofs if not (proof.is_equal and proof.is_complete)]
    if selection.is_bulk:
        scores = sum(proof.scores.compared for proof in done.proofs)
        equal = len(done.proofs) - len(unequal)
        yield f"{equal} of {counted(done.selected, 'course')} equal; {scores:,} scores compared"
    for proof in done.proofs if not selection.is_bulk else unequal[:MAX_NAMED]:
        yield _line(proof, zone)
        yield from (f"  {difference_sentence(each)}" for each in proof.differences)
    for course_id, error in list(done.failed.items())[:MAX_NAMED]:
        yield f"course {course_id} could not be verified: {error}"
    more = max(0, len(unequal) - MAX_NAMED) * selection.is_bulk + max(0, len(done.failed) - MAX_NAMED)
    if more:
        yield f"and {counted(more, 'course')} more: --json lists them"
    if any(proof.is_due for proof in done.proofs):
        yield "A sync makes equal what it may: verify again afterwards."
    if done.remaining:
        why = "" if done.stopped == "cancelled" else f" ({done.stopped})"
        yield f"{counted(len(done.remaining), 'course')} not verified{why}. To go on: {go_on}"
    if export is not None:
        yield f"written to {export}; {export}/HOW-TO-CHECK.txt says how to check it without passback"


def _line(proof: Proof, zone: tzinfo | None) -> str:
    at = proof.read_from.astimezone(zone or UTC)
    return f"course {proof.course_id}, verified {at:%A %Y-%m-%d %H:%M}: {proof.sentence}"


def _public_pem(service: Container, key_id: str | None) -> str:
    pem = service.proof_keys.current().public_pem if key_id is None else service.proof_keys.public_pem(key_id)
    if pem is None:
        known = ", ".join([service.proof_keys.current().key_id, *service.proof_keys.retired()])
        fail(f"no key has the id {key_id}; there is {known}", ExitCode.USAGE)
    return pem


def _directory(path: Path, service: Container) -> ProofExport:
    try:
        return ProofExport(path, service.proof_keys)
    except ExportFailed as error:
        raise typer.BadParameter(str(error), param_hint="--export") from None


def _without_newer(service: Container, course_ids: tuple[str, ...], since: datetime) -> tuple[str, ...]:
    newer = {each.proof.course_id for each in service.proofs.newest_of(course_ids) if each.proof.read_from >= since}
    return tuple(course_id for course_id in course_ids if course_id not in newer)

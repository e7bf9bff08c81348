"""The schema: every Redis key passback writes, with its type, its content and how long it lives.

Names carry ids only. All times are the Redis server's, in milliseconds since the epoch, so that hosts with wrong
clocks agree. `take`, `claim` and the rest are in the Lua files beside this one.
"""

from dataclasses import dataclass

from shared.queues import Stream

# Ends the name of a key that had another type than it should have. Nothing reads it; it is for a person to look at.
SET_ASIDE = ":set-aside"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix, so that several districts may share a Redis."""

    prefix: str = "passback"

    @property
    def schema_version(self) -> str:
        """String: the version of this schema, written at a worker's start (`schema.py`). Absent in version 1."""
        return f"{self.prefix}:schema-version"

    def stream(self, stream: Stream) -> str:
        """Stream of messages, one entry per change: the fields of `wire.py`. Trimmed behind its consumer group."""
        return f"{self.prefix}:stream:{stream}"

    @property
    def due(self) -> str:
        """Sorted set: course id, scored by when it is due.

        A course is in at most one of due, yielding, claimed and leased.
        """
        return f"{self.prefix}:due"

    @property
    def yielding(self) -> str:
        """Sorted set: as `due`, of courses that nothing but a pass over all courses made due. Others go first."""
        return f"{self.prefix}:yielding"

    @property
    def claimed(self) -> str:
        """Sorted set: course id whose wake-up was sent, scored by when the claim ends if nobody takes it."""
        return f"{self.prefix}:claimed"

    @property
    def leased(self) -> str:
        """Sorted set: course id being synced, scored by when the lease ends if it is not renewed."""
        return f"{self.prefix}:leased"

    @property
    def fence(self) -> str:
        """String: the last fencing token given, at least the time it was given at (ms)."""
        return f"{self.prefix}:fence"

    @property
    def synced(self) -> str:
        """Sorted set: course id, scored by when its last lease ended; of the last four quiet periods. Not at rest."""
        return f"{self.prefix}:synced"

    def pending(self, course_id: str) -> str:
        """Hash, the course's change set.

        `first`, `last` (ms), `count`, `attempts`, `failed` (ms, comma-separated: when the newest of them failed),
        `lost` (leases in a row that nobody ended), `not_before` (ms: backoff), `now` (ms: due at once since
        then, backoff or not), `at_rest` (its first change found the course at rest), a field `c:<cause>` per cause,
        `k:assignment` if an assignment-change message is among the changes, `k:unnamed` if a grade changed whose
        assignment is not named, `p:<name>` per person who asked, and `a:<id>` per touched assignment, about 500 of
        them.
        """
        return f"{self.prefix}:course:{course_id}:pending"

    def taken(self, course_id: str) -> str:
        """Hash of the same fields and `token`: the change set being synced. There is one exactly during a lease.

        Merged back into the pending one when the lease is lost or the work is not done.
        """
        return f"{self.prefix}:course:{course_id}:taken"

    @property
    def waits(self) -> str:
        """Hash: course id to `<since, ms> <cause>`: its work fails or waits for a system, again and again since then.

        Set with each release of work that is not done; removed with the release of work that is.
        """
        return f"{self.prefix}:waits"

    def links(self, course_id: str) -> str:
        """Hash: `<assignment id>:<section dcid>` to the link, `students:<section dcid>` to the ids that links mark.

        Both are JSON lists, see `link_codec.py`. Moved by `save_link.lua`. Never expire; a sync finds lost links again.
        """
        return f"{self.prefix}:course:{course_id}:links"

    def categories(self, course_id: str) -> str:
        """Hash: Canvas assignment group id to its association with PowerSchool categories, as JSON. Kept."""
        return f"{self.prefix}:course:{course_id}:categories"

    def record(self, course_id: str) -> str:
        """String: the course's record as JSON lists, see `record_form.py`; replaced at every sync."""
        return f"{self.prefix}:course:{course_id}:record"

    def audit(self, course_id: str) -> str:
        """Stream: what was written for the course, an audit entry as JSON each, with scores. Bounded by age and count.

        It ends by itself once the course had no write for that long.
        """
        return f"{self.prefix}:course:{course_id}:audit"

    def writes_begun(self, course_id: str) -> str:
        """Hash: a write that is under way to its audit entries, as JSON, a line each, as if its answer was lost.

        What is in it of another sync than the one that runs was interrupted; the course's next write puts it on the
        audit.
        """
        return f"{self.prefix}:course:{course_id}:writes-begun"

    @property
    def heard(self) -> str:
        """Hash: course id to when the newest of its folded messages was put on its stream (ms)."""
        return f"{self.prefix}:heard"

    @property
    def courses(self) -> str:
        """Sorted set: connected course id, scored by when it was last synced or had its turn (0: never)."""
        return f"{self.prefix}:courses"

    @property
    def gone(self) -> str:
        """Hash: id of a course that Canvas has no more to when that was reported (ms). A later sync removes it."""
        return f"{self.prefix}:gone-courses"

    @property
    def summaries(self) -> str:
        """Hash: course id to its summary as JSON. Replaced with its record."""
        return f"{self.prefix}:summaries"

    @property
    def due_dates(self) -> str:
        """Sorted set: course id, scored by the next due date of its work that its last sync saw ahead."""
        return f"{self.prefix}:due-dates"

    def timings(self, hour: int) -> str:
        """Hash with a lifetime: upper bound (s) to how many syncs brought a change to PowerSchool within it.

        `hour` counts from the epoch; a bound of 0 stands for longer than any.
        """
        return f"{self.prefix}:timings:{hour}"

    @property
    def actions(self) -> str:
        """Stream, some thousands of entries: what people did through the pages and the API.

        `actor`, `action`, `target` (ids), `count`, and what became of it as `result`.
        """
        return f"{self.prefix}:actions"

    def batch(self, batch_id: str) -> str:
        """Hash with a lifetime, many dead letters retried or discarded at once.

        `verb`, `actor`, `total`, `done`, `refused`, `state` (`running`, `done`, `cancelled`), `started` and `seen`
        (ms: when its process last went on with it), `cancel` once a person wants it to end.
        """
        return f"{self.prefix}:batch:{batch_id}"

    @property
    def session_secret(self) -> str:
        """String: what digests of passwords and form tokens are made with where no setting says it.

        Made by the first web process; deleting it ends all sessions at the next start.
        """
        return f"{self.prefix}:session-secret"

    def guesses(self, digest: str) -> str:
        """Counter with a lifetime of minutes: wrong passwords, and those being checked.

        By the SHA-256 of account and sender, of the account, or of the sender (an IPv6 address counts as its /64).
        """
        return f"{self.prefix}:guesses:{digest}"

    def known_sender(self, digest: str) -> str:
        """String with a lifetime of days: this account signed in from this sender (SHA-256 of both)."""
        return f"{self.prefix}:known-sender:{digest}"

    def session(self, digest: str) -> str:
        """Hash with a lifetime: `role`, and `password`, the keyed digest of the password it was opened with.

        Named by the SHA-256 of the cookie. Signing out deletes it; with another password it counts for nothing.
        """
        return f"{self.prefix}:session:{digest}"

    def counter(self, name: str) -> str:
        """Hash: labels, joined by a bar, to a number that only grows.

        `repairs`: `assignments` and `scores` that no event had told of. The others are `Counted` in
        `shared/domain/metrics.py`.
        """
        return f"{self.prefix}:counter:{name}"

    @property
    def assignment_courses(self) -> str:
        """Hash: assignment id to course id, for events that name no course."""
        return f"{self.prefix}:assignment-courses"

    @property
    def section_courses(self) -> str:
        """Hash: Canvas section id to course id, for events that name no course."""
        return f"{self.prefix}:section-courses"

    @property
    def unknown(self) -> str:
        """Sorted set: `assignment:<id>`, `section:<id>` or `enrollment:<id>` of unknown course, by when last heard."""
        return f"{self.prefix}:unknown-changes"

    @property
    def dead_letters(self) -> str:
        """Sorted set: dead letter id, scored by its first failure."""
        return f"{self.prefix}:dead-letters"

    def dead_letter(self, letter_id: str) -> str:
        """Hash, one dead letter.

        `course`, `assignment` (empty: the whole course), or `run` (of provisioning), `cause`, `answer`, `attempts`,
        `first` and `last` (ms), `times` (ms, comma-separated: the newest failed attempts), `retried` (ms, once a person
        did).
        """
        return f"{self.prefix}:dead-letter:{letter_id}"

    def course_dead_letters(self, course_id: str) -> str:
        """Set: the ids of the course's open dead letters."""
        return f"{self.prefix}:course:{course_id}:dead-letters"

    @property
    def dead_letter_causes(self) -> str:
        """Sorted set, by name: `<cause> <dead letter id>` of every open dead letter."""
        return f"{self.prefix}:dead-letter-causes"

    @property
    def malformed(self) -> str:
        """Stream, about 10,000 entries at the most: messages that nobody could read, each a dead letter.

        `stream` (or Celery queue) and `id` say where it was, `reason` and `task` what was wrong, `cut` that it was
        too large to keep whole; then its fields as they came, each after `f:`, or the Celery message as `payload`.
        Of a message of SQS (`stream` is `sqs`), besides those only its size in `bytes`: it may be anything, with names
        in it.
        """
        return f"{self.prefix}:malformed"

    def pause(self, system: str) -> str:
        """String with a lifetime: why `system` (canvas, powerschool) is not to be called until the key ends."""
        return f"{self.prefix}:system:{system}:pause"

    def half_open(self, system: str) -> str:
        """String with a lifetime: why `system` was paused; it has not answered since, so that one caller probes it."""
        return f"{self.prefix}:system:{system}:ailing"

    def probe(self, system: str) -> str:
        """String with a lifetime: whose request is on its way to find out whether `system` is well again.

        As in `line`; it counts no longer once the heartbeats of its process are old.
        """
        return f"{self.prefix}:system:{system}:probe"

    def failures(self, system: str) -> str:
        """Counter: failures of `system` in a row. Ends after ten minutes."""
        return f"{self.prefix}:system:{system}:failures"

    def rate(self, system: str) -> str:
        """Hash with a lifetime of a week: the interval between two requests to `system`, and what was learnt of it.

        `next` (when the next request may go), `interval`, `limit`, `good` (ms) and the rest as `rate.lua` describes
        them. Losing it costs some throttled answers.
        """
        return f"{self.prefix}:system:{system}:rate"

    def line(self, system: str) -> str:
        """Sorted set: a request's process and random name, scored by when its work began (ms); until it is answered.

        Those under way are in it with negative scores where their number is bounded, and not at all otherwise.
        """
        return f"{self.prefix}:system:{system}:line"

    def seen(self, system: str) -> str:
        """Sorted set: the members of `line` that wait, scored by when they are dropped (ms) unless they ask again.

        They ask every second. Those under way are dropped after the longest time that a request may take, and those of
        killed processes once their heartbeats are old.
        """
        return f"{self.prefix}:system:{system}:seen"

    @property
    def powerschool_token(self) -> str:
        """String with the token's lifetime less a minute: the access token that all workers share."""
        return f"{self.prefix}:powerschool:token"

    @property
    def unavailable_queries(self) -> str:
        """Hash: name of a PowerQuery that PowerSchool does not run to why, since when and when last asked, as JSON.

        A query leaves it once it runs again.
        """
        return f"{self.prefix}:powerschool:unavailable-queries"

    @property
    def powerschool_token_lock(self) -> str:
        """Lock: held by the one worker that fetches a token."""
        return f"{self.prefix}:powerschool:token-lock"

    def cached(self, what: str, of: str) -> str:
        """String with a lifetime: something read from PowerSchool or Canvas, as JSON.

        Of PowerSchool categories, sections and metadata; of Canvas a course's `canvas-course` (name and time zone),
        `canvas-frame` (sections and groups), `canvas-nobody` (which of its users without SIS id are test students), and
        how large a page of its lists may be for Canvas to answer in time: `canvas-page-rows` (of the account's:
        `account-<id>`) and `canvas-page-cells` (students times assignments). `canvas-heavy` is a set: the ids of
        assignments whose scores Canvas does not give in pages of any size.
        """
        return f"{self.prefix}:cache:{what}:{of}"

    @property
    def paused(self) -> str:
        """Hash: `passback`, `provisioning` or `course:<id>` to who paused it when and why, as JSON."""
        return f"{self.prefix}:paused"

    @property
    def purges(self) -> str:
        """Stream, about 1,000 entries at the most: `what` was purged, by which `actor`, `n:<what>` how much. Kept."""
        return f"{self.prefix}:purges"

    @property
    def heartbeats(self) -> str:
        """Hash: `<process>@<host>:<pid>` to when it last was alive (ms); dropped after a day."""
        return f"{self.prefix}:heartbeats"

    @property
    def last_event(self) -> str:
        """String: when the newest folded message was put on its stream (ms)."""
        return f"{self.prefix}:last-event"

    @property
    def streams_tended(self) -> str:
        """String with a lifetime: some dispatcher looked after the streams (dead consumers, history) lately."""
        return f"{self.prefix}:streams-tended"

    def webhook_seen(self, digest: str) -> str:
        """String with a lifetime: a webhook of this id (its SHA-256) was stored; a repeated one is not stored again."""
        return f"{self.prefix}:webhook:{digest}"

    @property
    def write_probe(self) -> str:
        """String with a lifetime: written by `/readyz` to find out whether Redis stores anything. Its value is 1."""
        return f"{self.prefix}:write-probe"

    @property
    def roster_changed_at(self) -> str:
        """String: when somebody, PowerSchool or not, last said that rosters changed (ms). Proves nothing."""
        return f"{self.prefix}:roster-hint"

    @property
    def rosters_changed(self) -> str:
        """String: when PowerSchool's data version last showed that rosters changed (ms).

        Rosters that were cached before are not used.
        """
        return f"{self.prefix}:rosters-changed"

    @property
    def run_lease(self) -> str:
        """String with a lifetime: the fencing token of the worker that goes on with provisioning."""
        return f"{self.prefix}:provisioning:lease"

    @property
    def run_fence(self) -> str:
        """Counter: the last fencing token of provisioning."""
        return f"{self.prefix}:provisioning:fence"

    @property
    def run_number(self) -> str:
        """Counter: the id of the newest provisioning run."""
        return f"{self.prefix}:provisioning:number"

    def run(self, run_id: str) -> str:
        """String, with a lifetime once the run is over: a run as JSON. Ids, codes, counts and digests; who asked."""
        return f"{self.prefix}:provisioning:run:{run_id}"

    @property
    def runs(self) -> str:
        """Sorted set: run id, scored by when it was opened (ms). Those whose time is over are dropped."""
        return f"{self.prefix}:provisioning:runs"

    @property
    def open_runs(self) -> str:
        """Sorted set: id of a run that goes on by itself, in the order in which they are worked on."""
        return f"{self.prefix}:provisioning:open"

    @property
    def runs_not_begun(self) -> str:
        """Hash: kind of run to the id of its open run that has not read anything yet."""
        return f"{self.prefix}:provisioning:not-begun"

    @property
    def held_run(self) -> str:
        """String: id of the run that waits for a person's approval."""
        return f"{self.prefix}:provisioning:held"

    @property
    def held_school_runs(self) -> str:
        """Hash: school number to the id of the run whose plan for that school waits for approval (0: no school's)."""
        return f"{self.prefix}:provisioning:held-schools"

    @property
    def live_counts(self) -> str:
        """Hash with a lifetime (10 days): hours (ms, a field every 3 h) to the live rows then, compressed JSON.

        By data set and school, in numbers alone: what a loss in small steps is compared with.
        """
        return f"{self.prefix}:provisioning:live-counts"

    @property
    def applied(self) -> str:
        """Hash: data set (`<entity>:<term>`) to what Canvas was given last, as JSON: a digest and times. Kept."""
        return f"{self.prefix}:provisioning:applied"

    def rows(self, digest: str) -> str:
        """String with a lifetime: the rows a digest stands for, compressed JSON. Holds names and e-mail addresses.

        What Canvas holds is kept for 400 days after the last run, anything else for as long as runs are.
        """
        return f"{self.prefix}:provisioning:rows:{digest}"

    def import_messages(self, run_id: str) -> str:
        """Hash with a lifetime: import id to what Canvas said about its rows, compressed JSON. May quote names."""
        return f"{self.prefix}:provisioning:troubles:{run_id}"

    @property
    def student_sis_ids(self) -> str:
        """Hash: PowerSchool record (`STUDENTS.DCID 501`) to the SIS id that Canvas has, not the template's.

        Replaced by every run of provisioning. Few: those whose new id Canvas refused, or has not been asked for yet.
        """
        return f"{self.prefix}:provisioning:kept-sis-ids"

    @property
    def former_logins(self) -> str:
        """Hash with a lifetime of 400 days: digest of a login to the SIS id of who had it and left. No logins."""
        return f"{self.prefix}:provisioning:former-logins"

    @property
    def provision_notes(self) -> str:
        """String: what scheduling of provisioning remembers (last slot, check, data version, hint), as JSON."""
        return f"{self.prefix}:provisioning:notes"

    @property
    def provisioning_dead_letters(self) -> str:
        """Set: the id of provisioning's open dead letter, if there is one."""
        return f"{self.prefix}:provisioning:dead-letters"

    def interval_lock(self, task: str, slot: int) -> str:
        """String with a lifetime: `running` or `done`, set by the worker that runs the task in this interval."""
        return f"{self.prefix}:beat:{task}:{slot}"

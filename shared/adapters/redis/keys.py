"""The schema: every Redis key passback writes, with its type, its content and how long it lives.

Names carry ids only. All times are the Redis server's, in milliseconds since the epoch, so that hosts with wrong
clocks agree. `take`, `claim` and the rest are in the Lua files beside this one.
"""

from dataclasses import dataclass

from shared.queues import Stream


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix, so that several districts may share a Redis."""

    prefix: str = "passback"

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

    def pending(self, course_id: str) -> str:
        """Hash, the course's change set.

        `first`, `last` (ms), `count`, `attempts`, `failed` (ms, comma-separated: when the newest of them failed),
        `lost` (leases in a row that nobody ended), `not_before` (ms: backoff), `now` (ms: due at once since
        then, backoff or not), a field `c:<cause>` per cause, `p:<name>` per person who asked, and `a:<id>` per touched
        assignment, about 500 of them.
        """
        return f"{self.prefix}:course:{course_id}:pending"

    def taken(self, course_id: str) -> str:
        """Hash of the same fields and `token`: the change set being synced. There is one exactly during a lease.

        Merged back into the pending one when the lease is lost or the work is not done.
        """
        return f"{self.prefix}:course:{course_id}:taken"

    def links(self, course_id: str) -> str:
        """Hash: `<assignment id>:<section dcid>` to the link as JSON. Kept: losing it needs `links rebuild`."""
        return f"{self.prefix}:course:{course_id}:links"

    def categories(self, course_id: str) -> str:
        """Hash: Canvas assignment group id to its association with PowerSchool categories, as JSON. Kept."""
        return f"{self.prefix}:course:{course_id}:categories"

    def record(self, course_id: str) -> str:
        """String: the course's record as JSON, replaced at every sync."""
        return f"{self.prefix}:course:{course_id}:record"

    def audit(self, course_id: str) -> str:
        """Stream: what was written for the course, an audit entry as JSON each, with scores. Bounded by age and count.

        It ends by itself once the course had no write for that long.
        """
        return f"{self.prefix}:course:{course_id}:audit"

    @property
    def heard(self) -> str:
        """Hash: course id to when the newest of its folded messages was put on its stream (ms)."""
        return f"{self.prefix}:heard"

    @property
    def courses(self) -> str:
        """Sorted set: connected course id, scored by when it was last synced or had its turn (0: never)."""
        return f"{self.prefix}:courses"

    @property
    def due_dates(self) -> str:
        """Sorted set: course id, scored by the next due date of its work that its last sync saw ahead."""
        return f"{self.prefix}:due-dates"

    def counter(self, name: str) -> str:
        """Hash: labels, joined by a bar, to a number that only grows.

        `repairs`: `assignments` and `scores` that no event had told of. The others are `Counted` in
        `shared/domain/measures.py`.
        """
        return f"{self.prefix}:counter:{name}"

    def latency(self, minute: int) -> str:
        """Hash with a lifetime, per minute since the epoch: how long changes took to reach PowerSchool.

        The upper bound of a bucket, in seconds, to how many fell into it; `ms` to their sum.
        """
        return f"{self.prefix}:latency:{minute}"

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

        `course`, `assignment` (empty: the whole course), `cause`, `answer`, `attempts`, `first` and `last` (ms),
        `times` (ms, comma-separated: the newest failed attempts), `retried` (ms, once a person did).
        """
        return f"{self.prefix}:dead-letter:{letter_id}"

    def course_dead_letters(self, course_id: str) -> str:
        """Set: the ids of the course's open dead letters."""
        return f"{self.prefix}:course:{course_id}:dead-letters"

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

    def ailing(self, system: str) -> str:
        """String with a lifetime: why `system` was paused; it has not answered since, so that one caller probes it."""
        return f"{self.prefix}:system:{system}:ailing"

    def probe(self, system: str) -> str:
        """String with a lifetime: somebody's request is on its way to find out whether `system` is well again."""
        return f"{self.prefix}:system:{system}:probe"

    def failures(self, system: str) -> str:
        """Counter: failures of `system` in a row. Ends after ten minutes."""
        return f"{self.prefix}:system:{system}:failures"

    def pace(self, system: str) -> str:
        """The rate limiter's own key: when `system` may be called next."""
        return f"{self.prefix}:system:{system}:pace"

    @property
    def powerschool_token(self) -> str:
        """String with the token's lifetime less a minute: the access token that all workers share."""
        return f"{self.prefix}:powerschool:token"

    @property
    def powerschool_token_lock(self) -> str:
        """Lock: held by the one worker that fetches a token."""
        return f"{self.prefix}:powerschool:token-lock"

    def cached(self, what: str, of: str) -> str:
        """String with a lifetime: something read from PowerSchool, as JSON (categories, sections, metadata)."""
        return f"{self.prefix}:cache:{what}:{of}"

    @property
    def paused(self) -> str:
        """Hash: `passback`, `provisioning` or `course:<id>` to who paused it when and why, as JSON."""
        return f"{self.prefix}:paused"

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
    def roster_hint(self) -> str:
        """String: when PowerSchool last said that rosters changed (ms). What was remembered before is not used."""
        return f"{self.prefix}:roster-hint"

    def beat_slot(self, task: str, slot: int) -> str:
        """String with a lifetime: set by the one beat whose tick counts."""
        return f"{self.prefix}:beat:{task}:{slot}"

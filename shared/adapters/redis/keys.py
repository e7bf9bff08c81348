"""The schema: every Redis key passback writes, with its type, its content and how long it lives.

Names carry ids only. All times are the Redis server's, in milliseconds since the epoch, so that hosts with wrong
clocks agree. `take`, `claim` and the rest are in the Lua files beside this one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.queues import Stream

# Ends the name of a key that had another type than it should have. Nothing reads it; it is for a person to look at.
SET_ASIDE = ":set-aside"


class _Key:
    """The name of one key, below the prefix."""

    def __init__(self, name: str, doc: str) -> None:
        self._name, self.__doc__ = name, doc

    def __get__(self, keys: "Keys", owner: type["Keys"] | None = None) -> str:
        return f"{keys.prefix}:{self._name}"


class _KeyOf:
    """The names of the keys of one kind, one for each id."""

    def __init__(self, name: str, doc: str) -> None:
        self._name, self.__doc__ = name, doc

    def __get__(self, keys: "Keys", owner: type["Keys"] | None = None) -> Callable[[object], str]:
        return lambda an_id: f"{keys.prefix}:{self._name.format(an_id)}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix, so that several districts may share a Redis."""

    prefix: str = "passback"

    schema_version = _Key(
        "schema-version",
        "String: the version of this schema, written at a worker's start (`schema.py`). Absent in version 1.",
    )

    def stream(self, stream: Stream) -> str:
        """Stream of messages, one entry per change: see `sync_queue/streams.py`. Trimmed behind its consumer group."""
        return f"{self.prefix}:stream:{stream}"

    due = _Key(
        "due",
        """Sorted set: course id, scored by when it is due.

        A course is in at most one of due, yielding, claimed and leased.
        """,
    )
    yielding = _Key(
        "yielding",
        "Sorted set: as `due`, of courses that nothing but a pass over all courses made due. Others go first.",
    )
    claimed = _Key(
        "claimed",
        "Sorted set: course id whose wake-up was sent, scored by when the claim ends if nobody takes it.",
    )
    leased = _Key("leased", "Sorted set: course id being synced, scored by when the lease ends if it is not renewed.")
    fence = _Key("fence", "String: the last fencing token given, at least the time it was given at (ms).")
    synced = _Key(
        "synced",
        "Sorted set: course id, scored by when its last lease ended; of the last four quiet periods. Not at rest.",
    )
    pending = _KeyOf(
        "course:{}:pending",
        """Hash, the course's pending changes.

        `first`, `last` (ms), `count`, `attempts`, `failed` (ms, comma-separated: when the newest of them failed),
        `lost` (leases in a row that nobody ended), `not_before` (ms: backoff), `now` (ms: due at once since
        then, backoff or not), `at_rest` (its first change found the course at rest),
        `event` (ms: when the first event among them was stored), a field `c:<cause>` per cause,
        `k:assignment` if an assignment-change message is among the changes, `k:unnamed` if a grade changed whose
        assignment is not named, `p:<name>` per person who asked, and `a:<id>` per touched assignment, about 500 of
        them.
        """,
    )
    taken = _KeyOf(
        "course:{}:taken",
        """Hash of the same fields and `token`: the changes being synced. There is one exactly during a lease.

        Merged back into the pending one when the lease is lost or the work is not done.
        """,
    )
    waits = _Key(
        "waits",
        """Hash: course id to `<since, ms> <cause>`: its work fails or waits for a system, again and again since then.

        Set with each release of work that is not done; removed with the release of work that is.
        """,
    )
    links = _KeyOf(
        "course:{}:links",
        """Hash: `<assignment id>:<section dcid>` to the link, `students:<section dcid>` to the ids that links mark.

        Both are JSON lists, see `links.py`. Moved by `save_link.lua`. Never expire; a sync finds lost links again.
        """,
    )
    takeover_refusals = _KeyOf(
        "course:{}:takeover-refusals",
        "Hash: the link's field to when and why PowerSchool refused the first change after a takeover, as JSON. Kept.",
    )
    takeover_responses = _Key(
        "takeover-answers",
        "Hash: who made assignments (`createdbyplugin`, empty: teachers) to whether PowerSchool last let them change.",
    )
    takeover_run = _Key(
        "takeover-run",
        """Hash with a lifetime of 30 days: the newest takeover of many courses.

        `run` as JSON: who asked for what, counts, ids of courses to look at, the last course that is done, by which
        the same run goes on. `cancel` once a person wants it to end.
        """,
    )
    categories = _KeyOf(
        "course:{}:categories",
        "Hash: Canvas assignment group id to its association with PowerSchool categories, as JSON. Kept.",
    )
    category_map = _Key(
        "category-map",
        "Hash: name of an assignment group, casefolded, to the name of the PowerSchool category it stands for. Kept.",
    )
    record = _KeyOf(
        "course:{}:record",
        "String: the course's record as JSON lists, see `course_states.py`; replaced at every sync.",
    )
    audit = _KeyOf(
        "course:{}:audit",
        """Stream: what was written for the course, an audit entry as JSON each, with scores. Bounded by age and count.

        It ends by itself once the course had no write for that long.
        """,
    )
    proofs = _KeyOf(
        "course:{}:proofs",
        """Stream: proofs of verifications, each the `document` that is signed (zlib) and its `signature`. No student.

        Bounded by age and count, as the audit; it ends by itself.
        """,
    )
    writes_begun = _KeyOf(
        "course:{}:writes-begun",
        """Hash: a write that is under way to its audit entries, as JSON, a line each, as if its answer was lost.

        What is in it of another sync than the one that runs has no answer; the next sync reads what became of it, and
        puts it on the audit.
        """,
    )
    heard = _Key("heard", "Hash: course id to when the newest of its folded messages was put on its stream (ms).")
    courses = _Key(
        "courses",
        "Sorted set: connected course id, scored by when it was last synced or had its turn (0: never).",
    )
    gone = _Key(
        "gone-courses",
        "Hash: id of a course that Canvas has no more to when that was reported (ms). A later sync removes it.",
    )
    summaries = _Key("summaries", "Hash: course id to its summary as JSON. Replaced with its record.")
    due_dates = _Key(
        "due-dates",
        "Sorted set: course id, scored by the next due date of its work that its last sync saw ahead.",
    )
    timings = _KeyOf(
        "timings:{}",
        """Hash with a lifetime: upper bound (s) to how many syncs brought a change to PowerSchool within it.

        `hour` counts from the epoch; a bound of 0 stands for longer than any.
        """,
    )
    actions = _Key(
        "actions",
        """Stream, some thousands of entries: what people did on the pages, through the API and on the command line.

        `actor`, `verb`, `target` (ids) and `count`.
        """,
    )
    batch = _KeyOf(
        "batch:{}",
        """Hash with a lifetime, many dead letters retried or discarded at once.

        `verb`, `actor`, `total`, `done`, `refused`, `state` (`running`, `done`, `cancelled`), `started` and `seen`
        (ms: when its process last went on with it), `cancel` once a person wants it to end.
        """,
    )
    session_secret = _Key(
        "session-secret",
        """String: what digests of passwords and form tokens are made with where no setting says it.

        Made by the first web process; deleting it ends all sessions at the next start.
        """,
    )
    proof_key = _Key(
        "proof-key",
        "String: the private key (PEM, P-256) that signs proofs. Made with the first proof; who deletes it ends it.",
    )
    retired_proof_keys = _Key(
        "proof-keys-retired", "Hash: the public keys (PEM) that signed earlier proofs, by their ids. Kept for good."
    )
    guesses = _KeyOf(
        "guesses:{}",
        """Counter with a lifetime of minutes: wrong passwords, and those being checked.

        By the SHA-256 of account and sender, of the account, or of the sender (an IPv6 address counts as its /64).
        """,
    )
    known_sender = _KeyOf(
        "known-sender:{}",
        "String with a lifetime of days: this account signed in from this sender (SHA-256 of both).",
    )
    session = _KeyOf(
        "session:{}",
        """Hash with a lifetime: `role`, and `password`, the keyed digest of the password it was opened with.

        Named by the SHA-256 of the cookie. Signing out deletes it; with another password it counts for nothing.
        """,
    )
    lti_used = _KeyOf(
        "lti:used:{}",
        "String with a lifetime of minutes: a launch of Canvas with this state (its SHA-256) came. It opens once.",
    )
    lti_launch = _KeyOf(
        "lti:launch:{}",
        """String with a lifetime of a minute: a verified launch that waits for a proof of its browser, as JSON.

        Named by the SHA-256 of a random id. Ids, an address to return to and the proof's name; taken once.
        """,
    )
    lti_key_set = _KeyOf(
        "lti:key-set:{}",
        "Hash with a lifetime of a day: `keys`, the public keys at this address (its SHA-256), and `at` (ms).",
    )
    lti_fetch = _KeyOf(
        "lti:fetch:{}",
        "String with a lifetime of up to a minute: these keys were fetched a moment ago, and are not fetched again.",
    )
    lti_deployments = _Key(
        "lti:deployments",
        "Hash: `<client id> <deployment id>` to its first and its last launch, as JSON. Kept.",
    )
    lti_registrations = _Key(
        "lti:registrations",
        "Hash: client id to its registration as JSON: issuer, account, when registered, who confirmed it. Kept.",
    )
    lti_link = _KeyOf(
        "lti:link:{}",
        "String with a lifetime of a day: who made this registration link (SHA-256 of its secret). Works once.",
    )
    lti_open_links = _Key("lti:open-links", "String with a lifetime of a day: a registration link was made.")
    lti_public_key = _Key(
        "lti:public-key",
        "String: the key set that Canvas asks for, as JSON. Its private half was never stored: passback signs nothing.",
    )
    counter = _KeyOf(
        "counter:{}",
        """Hash: labels, joined by a bar, to a number that only grows.

        `repairs`: `assignments` and `scores` that no event had told of. The others are `Counted` in
        `shared/domain/metrics.py`.
        """,
    )
    assignment_courses = _Key("assignment-courses", "Hash: assignment id to course id, for events that name no course.")
    section_courses = _Key("section-courses", "Hash: Canvas section id to course id, for events that name no course.")
    unknown = _Key(
        "unknown-changes",
        "Sorted set: `assignment:<id>`, `section:<id>` or `enrollment:<id>` of unknown course, by when last heard.",
    )
    dead_letters = _Key("dead-letters", "Sorted set: dead letter id, scored by its first failure.")
    dead_letter = _KeyOf(
        "dead-letter:{}",
        """Hash, one dead letter.

        `course`, `assignment` (empty: the whole course), or `run` (of provisioning), `cause`, `answer`, `attempts`,
        `first` and `last` (ms), `times` (ms, comma-separated: the newest failed attempts), `retried` (ms, once a person
        did).
        """,
    )
    course_dead_letters = _KeyOf("course:{}:dead-letters", "Set: the ids of the course's open dead letters.")
    dead_letter_causes = _Key(
        "dead-letter-causes",
        "Sorted set, by name: `<cause> <dead letter id>` of every open dead letter.",
    )
    malformed = _Key(
        "malformed",
        """Stream, about 10,000 entries at the most: messages that nobody could read, each a dead letter.

        `stream` (or Celery queue) and `id` say where it was, `reason` and `task` what was wrong, `cut` that it was
        too large to keep whole; then its fields as they came, each after `f:`, or the Celery message as `payload`.
        Of a message of SQS (`stream` is `sqs`), besides those only its size in `bytes`: it may be anything, with names
        in it.
        """,
    )
    pause = _KeyOf(
        "system:{}:pause",
        "String with a lifetime: why `system` (canvas, powerschool) is not to be called until the key ends.",
    )
    half_open = _KeyOf(
        "system:{}:ailing",
        "String with a lifetime: why `system` was paused; it has not answered since, so that one caller probes it.",
    )
    probe = _KeyOf(
        "system:{}:probe",
        """String with a lifetime: whose request is on its way to find out whether `system` is well again.

        As in `line`; it counts no longer once the heartbeats of its process are old.
        """,
    )
    watched = _Key(
        "watched",
        "String with a lifetime of 15 s: somebody looks at a page. Meanwhile a system that nobody calls is asked.",
    )
    outage = _KeyOf(
        "system:{}:outage",
        "String with a lifetime: since when `system` fails (ms): its first failure in a row. Ends with a success.",
    )
    failures = _KeyOf("system:{}:failures", "Counter: failures of `system` in a row. Ends after ten minutes.")
    rate = _KeyOf(
        "system:{}:rate",
        """Hash with a lifetime of a week: the interval between two requests to `system`, and what was learnt of it.

        `next` (when the next request may go), `interval`, `limit`, `good` (ms) and the rest as `rate.lua` describes
        them. Losing it costs some throttled answers.
        """,
    )
    line = _KeyOf(
        "system:{}:line",
        """Sorted set: a request's process and random name, scored by when its work began (ms); until it is answered.

        Those under way are in it with negative scores where their number is bounded, and not at all otherwise.
        """,
    )
    seen = _KeyOf(
        "system:{}:seen",
        """Sorted set: the members of `line` that wait, scored by when they are dropped (ms) unless they ask again.

        They ask every second. Those under way are dropped after the longest time that a request may take, and those of
        killed processes once their heartbeats are old.
        """,
    )
    powerschool_token = _Key(
        "powerschool:token",
        "String with the token's lifetime less a minute: the access token that all workers share.",
    )
    unavailable_queries = _Key(
        "powerschool:unavailable-queries",
        """Hash: name of a PowerQuery that PowerSchool does not run to why, since when and when last asked, as JSON.

        A query leaves it once it runs again.
        """,
    )
    powerschool_token_lock = _Key("powerschool:token-lock", "Lock: held by the one worker that fetches a token.")

    def cached(self, what: str, of: str) -> str:
        """String with a lifetime: something read from PowerSchool or Canvas, as JSON.

        Of PowerSchool categories, sections and metadata; of Canvas when a token ends (`canvas-token`, by the token's
        digest), and of a course its `canvas-course` (name and time zone), `canvas-frame` (sections and groups),
        `canvas-nobody` (which of its users without SIS id are test students), and how large a page of its lists may be
        for Canvas to answer in time: `canvas-page-rows` (of the account's: `account-<id>`) and `canvas-page-cells`
        (students times assignments). `canvas-heavy-assignments` lists the ids of assignments whose scores Canvas does
        not give in pages of any size.
        """
        return f"{self.prefix}:cache:{what}:{of}"

    paused = _Key("paused", "Hash: `passback`, `provisioning` or `course:<id>` to who paused it when and why, as JSON.")
    purges = _Key(
        "purges",
        "Stream, about 1,000 entries at the most: `what` was purged, by which `actor`, `n:<what>` how much. Kept.",
    )
    heartbeats = _Key(
        "heartbeats",
        "Hash: `<process>@<host>:<pid>` to when it last was alive (ms); dropped after a day.",
    )
    last_event = _Key("last-event", "String: when the newest folded message was put on its stream (ms).")
    streams_tended = _Key(
        "streams-tended",
        "String with a lifetime: some dispatcher looked after the streams (dead consumers, history) lately.",
    )
    webhook_seen = _KeyOf(
        "webhook:{}",
        "String with a lifetime: a webhook of this id (its SHA-256) was stored; a repeated one is not stored again.",
    )
    write_probe = _Key(
        "write-probe",
        "String with a lifetime: written by `/readyz` to find out whether Redis stores anything. Its value is 1.",
    )
    roster_changed_at = _Key(
        "roster-hint",
        "String: when somebody, PowerSchool or not, last said that rosters changed (ms). Proves nothing.",
    )
    rosters_changed = _Key(
        "rosters-changed",
        """String: when PowerSchool's data version last showed that rosters changed (ms).

        Rosters that were cached before are not used.
        """,
    )
    run_lease = _Key(
        "provisioning:lease",
        "String with a lifetime: the fencing token of the worker that goes on with provisioning.",
    )
    run_fence = _Key("provisioning:fence", "Counter: the last fencing token of provisioning.")
    run_number = _Key("provisioning:number", "Counter: the id of the newest provisioning run.")
    run = _KeyOf(
        "provisioning:run:{}",
        "String, with a lifetime once the run is over: a run as JSON. Ids, codes, counts and digests; who asked.",
    )
    runs = _Key(
        "provisioning:runs",
        "Sorted set: run id, scored by when it was opened (ms). Those whose time is over are dropped.",
    )
    open_runs = _Key(
        "provisioning:open",
        "Sorted set: id of a run that goes on by itself, in the order in which they are worked on.",
    )
    runs_not_begun = _Key(
        "provisioning:not-begun",
        "Hash: kind of run to the id of its open run that has not read anything yet.",
    )
    held_run = _Key("provisioning:held", "String: id of the run that waits for a person's approval.")
    held_school_runs = _Key(
        "provisioning:held-schools",
        "Hash: school number to the id of the run whose plan for that school waits for approval (0: no school's).",
    )
    live_counts = _Key(
        "provisioning:live-counts",
        """Hash with a lifetime (10 days): hours (ms, a field every 3 h) to the live rows then, compressed JSON.

        By data set and school, in numbers alone: what a loss in small steps is compared with.
        """,
    )
    applied = _Key(
        "provisioning:applied",
        "Hash: data set (`<entity>:<term>`) to what Canvas was given last, as JSON: a digest and times. Kept.",
    )
    rows = _KeyOf(
        "provisioning:rows:{}",
        """String with a lifetime: the rows a digest stands for, compressed JSON. Holds names and e-mail addresses.

        What Canvas holds is stored for 400 days after the last run, anything else for as long as runs are.
        """,
    )
    import_messages = _KeyOf(
        "provisioning:troubles:{}",
        "Hash with a lifetime: import id to what Canvas said about its rows, compressed JSON. May quote names.",
    )
    student_sis_ids = _Key(
        "provisioning:kept-sis-ids",
        """Hash: PowerSchool record (`STUDENTS.DCID 501`) to the SIS id that Canvas has, not the template's.

        Replaced by every run of provisioning. Few: those whose new id Canvas refused, or has not been asked for yet.
        """,
    )
    former_logins = _Key(
        "provisioning:former-logins",
        "Hash with a lifetime of 400 days: digest of a login to the SIS id of who had it and left. No logins.",
    )
    schedule_state_key = _Key(
        "provisioning:notes",
        "String: what scheduling of provisioning remembers (last slot, check, data version, hint), as JSON.",
    )
    provisioning_dead_letters = _Key(
        "provisioning:dead-letters",
        "Set: the id of provisioning's open dead letter, if there is one.",
    )

    readiness_run = _Key(
        "readiness:run",
        "String: the newest check of readiness as JSON: who asked and when, how far it is, failed checks of systems.",
    )
    readiness_work = _Key(
        "readiness:work",
        "List: what an unfinished check of readiness has still to read, as JSON: SIS ids of sections, then course ids.",
    )
    readiness_courses = _Key(
        "readiness:courses",
        """Hash: course id to what the check of readiness read of it, as JSON; `district` to what concerns no course.

        Ids of sections, teachers, assignments and groups, codes, names of categories and counts; nothing of a student.
        """,
    )
    readiness_lock = _Key("readiness:lock", "Lock: held by the one process that goes on with a check of readiness.")
    notifications = _Key(
        "notifications",
        """String: what needs people, since when, and which target was told of it, as JSON. Ids, codes and sentences.

        No names, no addresses and no URL: a target is named by the scheme of its URL and a number.
        """,
    )
    notifications_lease = _Key(
        "notifications:lease",
        "String with a lifetime: the token of the worker that checks and sends notifications.",
    )

    teacher_digest = _Key(
        "notifications:teachers",
        "String: the newest weekly digest of teachers as JSON: when it was due, how far it is, counts. No ids.",
    )
    teacher_digest_courses = _Key(
        "notifications:teachers:courses", "Set: ids of courses whose teachers the digest has still to read."
    )
    teacher_digest_teachers = _Key(
        "notifications:teachers:due",
        "Hash: Canvas user id of a teacher who is to be told, to ids of courses, comma-separated. Empty once all were.",
    )

    def interval_lock(self, task: str, slot: int) -> str:
        """String with a lifetime: `running` or `done`, set by the worker that runs the task in this interval."""
        return f"{self.prefix}:beat:{task}:{slot}"

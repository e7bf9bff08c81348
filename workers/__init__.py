"""What runs: one package per job, and what starts them. Imports `shared`, never the reverse.

Procfile line  runs
web            web/: the receivers of events, the pages, the API and the metrics
worker         grade_passback/: the dispatcher, syncs and scheduled tasks
provisioning   provisioning/: runs that import PowerSchool's rosters into Canvas
beat           celery/beat_schedule.py: scheduled tasks; any number of beats may run, a task runs once per interval
flower         web/flower.py: Celery's monitor, read-only and behind a password
(no line)      `passback sqs`: reads Live Events from an SQS queue

container.py     builds everything from the settings, once per process
grade_passback/  a sync: sync_job.py, lease.py, course_reader.py, compare.py, apply/, course_state.py,
                 outcome_handler.py; and dispatcher.py, scheduled.py, explain/, operations/ (what a person asks for)
provisioning/    a run: schedule.py, run.py, planning.py, imports/; service.py is for people, reports/ for reading
dead_letters.py  listing, selecting, retrying, discarding
erasure.py       deletes stored data of courses, students, a period or the district
status.py        the status document of the CLI, the pages and the API
celery/          the app with its queues and delivery settings, transport, undecodable messages, tracing
runtime/         heartbeat, Redis durability check, threads whose end must be noticed, limited log lines
web/             receivers/, auth/, api/, views/ (what pages and API share), pages/, metrics/
cli/             the `passback` command, a file per group of verbs; doctor/, docs/ (generators), terminal/
dev/             `passback up`, `passback demo`, the embedded Redis
"""

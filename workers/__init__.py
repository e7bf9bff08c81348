"""What runs: one package per job, and what starts it. Imports `shared`, never the reverse.

Procfile line  runs
web            web/: receivers of events, pages, API and metrics
worker         grade_passback/: dispatcher, syncs and scheduled tasks
provisioning   provisioning/: imports of PowerSchool's rosters into Canvas
beat           celery/app.py: scheduled tasks; with any number of beats a task runs once per interval
flower         web/flower.py: Celery's monitor, read-only, with a password
(no line)      `passback sqs`: reads Live Events from an SQS queue

Inside, imports go downwards only (pyproject.toml, `lint-imports`):
cli/             the `passback` command: app.py (the verbs), a file per group of them, district/ (for many courses),
                 docs.py (generators), terminal/ (what people read)
dev/             `passback demo`, `up` and `sandbox`, the embedded Redis
web/             receivers/, auth/, api/, views/ (what pages and API share), pages/ (with district/), metrics/,
                 lti/ (an LTI tool: the launch, its pages inside Canvas, how it is installed)
doctor/          checks of settings, systems and grants: for `passback doctor` and the readiness of a district
notifications/   messages to people: each open condition is reported once, and its end
alerts.py        what is wrong and what to do: for the command line, the pages, the API and notifications
known_ids.py     refuses ids that name nothing: for the command line, the pages and the API
recorded_actions.py  what people do, recorded with the person: for the command line, the pages and the API
known_ids.py     refuses ids that name nothing: for the command line, the pages and the API
status.py        the status document of the command line, the pages and the API; school_hours.py for its alert
container.py     builds everything from the settings, once per process
dead_letters.py  lists, selects, retries and discards dead letters
erasure.py       deletes stored data of courses, students, a period or the district
grade_passback/  a sync: sync_job.py (lease, limits, outcome), course_sync.py, course_reader.py, compare.py, apply/,
                 course_state.py, missed_changes.py; its process: worker.py, dispatcher.py, outage_probe.py,
                 scheduled.py; explain/, readiness/ (before anything is graded), operations/ (what a person asks for:
                 takeover, totals, verification, bulk sync)
provisioning/    a run: runner.py, run.py, comparison.py, importer.py; service.py and serializers.py for people
celery/          the app with its queues and delivery settings, worker, transport, undecodable messages
runtime/         jobs.py (leases are renewed, errors are outcomes), heartbeat, Redis's durability, process_end.py
"""

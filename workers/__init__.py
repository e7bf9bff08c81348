"""What runs: one package per job this service does. Imports `shared`, never the reverse.

Procfile line    runs
web              receivers/ behind web.py, with the JSON API of status_pages/ and the page of metrics/ beside them
worker           grade_passback/ behind its worker.py (dispatcher, syncs), and housekeeping.py
provisioning     provisioning/ behind its worker.py: runs that keep Canvas's rosters in step with PowerSchool's
beat             schedule.py: ticks of housekeeping.py and provisioning/; any number may run, one tick counts
flower           monitor.py: Celery's monitor behind a door
(no line)        `passback sqs`: receivers/sqs.py, where Live Events come by a queue

bootstrap.py        settings to adapters to use cases, once per process
celery_app.py       queues, routes and delivery settings; celery_worker.py runs a worker of it
settle.py           outcome to acknowledge, wait, retry or dead letter: the only retry code
durability.py       what a Redis must promise before a worker starts
purge.py            erases what is remembered of courses, students, what is old, or a district
redis_transport.py  Celery's transport, made to survive a Redis restart
http_protocol.py    uvicorn's HTTP, with bounds on connections, heads, bodies and answers
line_limit.py       one log line of a kind in a period
task_spans.py       a span per Celery task, where OpenTelemetry is on
self_portrait.py    what workers tell Celery's monitors, without passwords
dead_letters/       listing, retrying, discarding; messages that nobody could read
cli/                the `passback` command, a file per group of verbs
"""

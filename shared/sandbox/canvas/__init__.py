"""A Canvas to run against, with Live Events.

app.py         the ASGI app: routes, middlewares, lifespan
seed.py        what it starts with, and the records it keeps
state.py       the records, found by id; what Canvas derives from them (audience, due dates, missing)
grading.py     what people do to grades, and the events each deed emits or does not emit
teaching.py    what people do to assignments, groups, courses and enrollments, likewise
sandbox.py     the whole: state, deeds and Live Events
events.py      bodies of Live Events; envelope.py what is around them
marks.py       posted grades to scores, scores to grades
delivery.py    the queue that posts them, with its knobs
signing.py     the keys that sign them
objects.py     records as REST shows them
rest.py        the REST routes, with access.py (tokens), paging.py (Link) and throttle.py (leaky bucket)
control.py     `/_sandbox`: seed, state, roster, deeds, events, deliveries

SIS imports, from the upload to the records:
sis_imports_api.py  the routes
sis_queue.py        one import at a time, in the sandbox's time
sis_import.py       one import: compare, apply, report
sis_files.py        CSV files and zips; sis_diffing.py what differs from an earlier upload
sis_records.py      records by SIS id, sticky fields; sis_structure.py and sis_people.py apply rows to them
by_hand.py          edits that stick; roster.py what was provisioned
"""

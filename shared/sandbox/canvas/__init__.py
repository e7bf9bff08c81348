"""A Canvas to run against, with Live Events.

app.py        the ASGI app: routes, middlewares, lifespan
seed.py       what it starts with, and the records that it stores
state.py      the records by id, and what Canvas derives from them (audience, due dates, missing)
values.py     fields, times and grades as Canvas prints them
sandbox.py    the whole: state, actions and Live Events
control.py    `/_sandbox`: seed, state, roster, actions, events, deliveries
actions/      what people and administrators do, with the events that each action emits or does not emit
live_events/  bodies, envelopes, signatures and delivery of Live Events
lti/          the LTI 1.3 platform, and pages in which a person uses the sandbox
rest/         the REST routes, with tokens, pagination and the throttle
roster.py     what was provisioned, by SIS ids
sis_import/   SIS imports, from the upload to the records, and the SIS Integration API
"""

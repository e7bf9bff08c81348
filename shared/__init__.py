"""What the jobs share. Inside, imports go downwards only.

sandbox/       a Canvas and a PowerSchool to run against: for the demo, tests and benchmarks
adapters/      everything that does I/O: http, canvas, powerschool, redis (stores beside their Lua), sqs, telemetry
events.py      from the bytes of an event to a change; signatures
ports/         what the jobs need from the remote systems
errors.py      one tree of errors with two branches: transient and permanent
domain/        rules as functions of values, with the standard library only; for both jobs: outcome.py (with dead
               letters), actions.py (with pauses), causes.py (each cause of a failure with its scope and remedy)
  passback/      Canvas and PowerSchool as values, changes, rules/ (eligibility, scores, reasons), planning/ (the plan),
                 readiness/ (what would keep grades back), totals/ (why they differ),
                 takeover.py (assignments of other makers), agreement.py and proof.py (verification)
  notifications/ which conditions are reported to whom, and when
  provisioning/  rosters, rows/ (what Canvas gets), imports/, safety.py (what is held for approval), run.py
config.py      every setting; setting_types.py parses them, removed_settings.py names what replaces former ones
log_events.py  every log event
clock.py       the only module that reads the time; schedules
queues.py      the names of queues, streams and tasks
"""

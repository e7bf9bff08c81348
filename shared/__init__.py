"""What passback's workers share. Inside, imports go downwards only.

sandbox/     a Canvas and a PowerSchool to run against: for the demo, tests and benchmarks
adapters/    everything that touches the outside: HTTP, Canvas, PowerSchool, Redis, telemetry
events/      bytes on the wire to changes; signatures
ports.py     what use cases of passback need from adapters; roster_ports.py those of provisioning
errors.py    one tree of errors, two branches
domain/      what is true: eligibility, scoring, plan, debounce, outcomes; standard library only
config.py    every setting
clock.py     the only place that knows the time
queues.py    the names of queues, streams and tasks
"""

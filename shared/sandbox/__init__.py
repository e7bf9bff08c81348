"""A Canvas and a PowerSchool to run against: for the demo, tests and benchmarks. Never part of a real installation."""

"""For development and demonstration: the demo, `passback up`, a Redis for people without one."""

"""For development: the demo, `passback up`, the sandboxes, and a Redis for machines without one."""

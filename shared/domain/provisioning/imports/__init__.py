"""Which SIS imports a plan needs, and what Canvas reports about their rows."""

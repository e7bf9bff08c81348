"""Which students are in which sections, for passback."""

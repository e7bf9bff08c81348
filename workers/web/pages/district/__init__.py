"""Pages about the whole district, beside the courses."""

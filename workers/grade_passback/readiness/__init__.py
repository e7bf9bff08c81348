"""Checks before anything is graded what would keep grades back, course by course and for the whole district."""

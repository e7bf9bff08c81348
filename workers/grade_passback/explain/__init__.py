"""Explains why an assignment or a score is not in PowerSchool."""

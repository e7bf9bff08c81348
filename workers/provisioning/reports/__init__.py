"""Runs and rows for people, as text and JSON."""

"""Brings PowerSchool's rosters into Canvas by SIS Import."""

"""Keeping Canvas's rosters in step with PowerSchool's, one way."""

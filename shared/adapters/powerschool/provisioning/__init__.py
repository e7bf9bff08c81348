"""Whole rosters for provisioning, read-only."""

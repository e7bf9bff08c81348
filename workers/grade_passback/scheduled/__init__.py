"""Scheduled tasks: reconciliation, full syncs, due dates, discovery."""

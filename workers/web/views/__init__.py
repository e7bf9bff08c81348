"""Shared by the status pages and the JSON API: alerts, dead letters and operator actions, without HTTP."""

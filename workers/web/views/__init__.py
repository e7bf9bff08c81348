"""Shared by the status pages and the JSON API: dead letters and operator actions, without HTTP."""

"""A Canvas to run against, with Live Events."""

"""The whole command line, for tests that run commands in their own process."""

from workers.cli.app import command_line

app = command_line()

"""The `passback` command."""

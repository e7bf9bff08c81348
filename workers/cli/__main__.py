"""`python -m workers.cli`: the same as the `passback` command."""

from workers.cli import main

main()

"""What is true of rosters on their way to Canvas: the plan, its safety checks, a run's states."""

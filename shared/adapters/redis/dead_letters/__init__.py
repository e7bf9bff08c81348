"""Jobs and messages kept for a person."""

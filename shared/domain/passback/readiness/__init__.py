"""What would keep work back, before it is graded: what `explain` says, and what only a whole district shows."""

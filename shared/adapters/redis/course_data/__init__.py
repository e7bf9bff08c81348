"""What is stored per course: its state, links, category matches and audit log."""

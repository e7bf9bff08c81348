"""What runs: one package per job this service does."""

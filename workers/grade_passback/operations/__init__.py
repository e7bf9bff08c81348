"""What operators ask for: dry runs, history, links, categories."""

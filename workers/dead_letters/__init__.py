"""Dead letters: what lands there, and what a person does about it (list, retry, discard, export)."""

"""Districts for the sandboxes: a small one that shows every rule, and generated ones."""

"""Verbs about many courses or students at once: of a school, of a term, of the district."""

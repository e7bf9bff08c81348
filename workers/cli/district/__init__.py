"""Verbs about many courses at once: of a school, of a term, of the district."""

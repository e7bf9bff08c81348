"""A PowerSchool to run against, as strict as the reference says the real one is."""

"""PowerSchool's database tables, and the table API."""

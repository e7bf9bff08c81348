"""Canvas's REST API."""

"""Canvas's SIS Import API."""

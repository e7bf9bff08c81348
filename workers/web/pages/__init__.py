"""What people and programs look at over HTTP: the JSON API."""

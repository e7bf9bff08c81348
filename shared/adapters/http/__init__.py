"""The HTTP client of both remote systems: requests, responses, failures, exact numbers, redacted error texts."""

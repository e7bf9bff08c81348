"""What both remote systems have in common: one way to send a request, one translation of failures, exact numbers."""

"""Canvas's Live Events: bodies, envelopes, signatures, delivery."""

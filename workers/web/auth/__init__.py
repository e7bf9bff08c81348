"""Authenticates requests and authorizes users."""

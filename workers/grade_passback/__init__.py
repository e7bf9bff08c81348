"""Passback: fold changes, claim due courses, sync each, reconcile."""

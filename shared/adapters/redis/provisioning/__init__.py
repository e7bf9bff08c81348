"""Provisioning runs and what their imports applied."""

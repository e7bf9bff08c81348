"""Receivers: verify, classify and store what Canvas, PowerSchool and webhooks send. They call nothing but Redis."""

"""Answers to "why is this grade not there?"."""

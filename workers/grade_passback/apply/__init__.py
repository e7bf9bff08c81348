"""Carries out a plan in PowerSchool: all writing."""

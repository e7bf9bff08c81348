"""The PowerSchool client."""

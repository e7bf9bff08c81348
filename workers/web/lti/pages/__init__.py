"""What teachers and administrators see inside Canvas."""

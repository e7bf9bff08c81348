"""What to write so that PowerSchool agrees with Canvas: matching, names, differences, the plan."""

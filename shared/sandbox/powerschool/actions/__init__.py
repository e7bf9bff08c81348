"""What people do in PowerSchool, and random school days made of it."""

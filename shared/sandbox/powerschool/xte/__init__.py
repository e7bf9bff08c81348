"""PowerTeacher Pro's gradebook API, `/ws/xte`."""

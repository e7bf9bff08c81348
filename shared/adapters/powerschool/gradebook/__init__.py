"""PowerTeacher Pro's gradebook: reads by PowerQuery, writes by the xte API."""

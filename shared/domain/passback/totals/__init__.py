"""Why a student's total in Canvas differs from the one in PowerSchool: exact sums, and the causes one by one."""

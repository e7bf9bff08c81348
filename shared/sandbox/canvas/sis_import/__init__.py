"""Canvas's SIS Import: files, rows, diffing, the job queue and its routes."""

"""SIS imports from upload to result, resumable after a crash."""

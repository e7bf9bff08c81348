"""The rows of an SIS import, one module per CSV file."""

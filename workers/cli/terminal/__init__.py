"""What commands print and parse."""

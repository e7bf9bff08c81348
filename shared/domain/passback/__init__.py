"""What is true of passing grades back: pure functions of values."""

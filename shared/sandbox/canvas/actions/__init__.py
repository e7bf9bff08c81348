"""What people do in Canvas, with the Live Events that each action emits."""

"""The shared rate and circuit of each remote system."""

"""What operators see and do: actions, pauses, heartbeats, counters, erasure, sign-in."""

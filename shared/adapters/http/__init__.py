"""What both clients share: timeouts, pace, throttling, outages, one error tree."""

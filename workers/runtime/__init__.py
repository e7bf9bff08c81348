"""What every process needs: heartbeats, a durable Redis, threads that must not die."""

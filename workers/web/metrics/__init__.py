"""`GET /metrics` for Prometheus. The values come from Redis, because other processes count them."""

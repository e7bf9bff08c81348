"""`GET /metrics`: what Prometheus reads. Numbers come from Redis, because other processes count them."""

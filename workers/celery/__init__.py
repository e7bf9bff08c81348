"""How Celery runs here: the app, workers, the transport, the message schema."""

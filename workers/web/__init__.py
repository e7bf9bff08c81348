"""The web process: receivers, pages, API, metrics, Flower's sign-in."""

"""The web process: receivers, pages, API and metrics; and Flower behind its sign-in."""

"""Generators of documents: settings, `.env.example`, teacher FAQ."""

"""The Canvas client."""

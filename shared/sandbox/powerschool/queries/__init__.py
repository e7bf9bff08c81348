"""The plugin's named queries."""

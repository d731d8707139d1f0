"""Hooks: Comprehend, the table database, and files through a connection."""

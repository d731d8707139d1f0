"""The tables in PostgreSQL: predictions, runs and classifier versions."""

"""The tables in PostgreSQL: what Nightsort writes down of documents, runs and classifier versions."""

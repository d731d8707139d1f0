"""The looks of the comparison: each asks one side and returns what it observed, by name."""

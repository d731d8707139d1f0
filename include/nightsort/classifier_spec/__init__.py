"""The classifier spec: its model, and how it is read and checked."""

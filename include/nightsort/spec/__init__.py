"""What a classifier spec is made of, and how its problems are told."""

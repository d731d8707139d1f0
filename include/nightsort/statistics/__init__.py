"""What a night looks like: labels, scores and their drift, from counts made while rows are loaded."""

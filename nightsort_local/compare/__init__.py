"""Compare the local Comprehend with AWS, or with a second local server: ``nightsort-local compare``."""

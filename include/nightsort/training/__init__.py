"""The parts of `training_data`: checks, the split, the CSV that Comprehend reads."""

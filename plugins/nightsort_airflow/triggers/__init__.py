"""Triggers for Comprehend: what waits in the triggerer."""

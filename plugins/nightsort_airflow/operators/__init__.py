"""Operators: the generic ones for Comprehend, and the steps of the two DAGs."""

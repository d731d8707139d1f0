"""Classify documents through an endpoint, and write what a job would have written."""

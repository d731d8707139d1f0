"""Comprehend's output archive, its lines, and the manifest that says whose they are."""

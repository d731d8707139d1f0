"""Sensors for Comprehend."""

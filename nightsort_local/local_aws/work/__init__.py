"""Trainings, jobs and real-time classification, in processes of their own."""

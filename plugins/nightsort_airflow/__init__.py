"""Nightsort's part of Airflow: hooks, operators, sensors, triggers and links."""

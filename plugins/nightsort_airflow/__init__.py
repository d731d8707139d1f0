"""What Airflow must know: hooks, operators, sensors, triggers and links of Nightsort."""

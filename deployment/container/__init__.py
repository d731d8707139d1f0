"""What runs inside the containers of the compose file beside Airflow itself."""

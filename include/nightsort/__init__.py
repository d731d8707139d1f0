"""The domain: plain Python that imports neither Airflow nor boto3."""

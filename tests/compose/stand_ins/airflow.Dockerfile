# Stands for apache/airflow:slim-…: the same user, folders and programs on the path; Airflow itself comes with
# our requirements.
FROM nightsort-stand-in-debian
RUN useradd --uid 50000 --gid 0 --create-home airflow \
    && python3 -m venv /home/airflow/.local \
    && install --directory --owner=airflow --group=0 --mode=0775 /opt/airflow \
    && chown -R airflow /home/airflow
ENV AIRFLOW_HOME=/opt/airflow PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
USER airflow
WORKDIR /opt/airflow

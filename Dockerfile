# Nightsort on any Airflow image with Python 3.11 or 3.12; how to choose one: docs/deployment.md.
ARG AIRFLOW_IMAGE=apache/airflow:slim-3.3.2-python3.12

FROM ${AIRFLOW_IMAGE} AS packages

# requirements.txt is enough where Celery is not used.
ARG REQUIREMENTS=requirements/celery.txt
WORKDIR ${AIRFLOW_HOME}
# The file is complete, so pip has nothing to resolve (and in hash mode refuses what a package requires with an
# extra).
COPY ${REQUIREMENTS} /tmp/nightsort/requirements.txt
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/nightsort/requirements.txt
# Airflow writes its configuration where there is none, which a read-only container cannot; here all of it
# comes from the environment.
RUN mkdir -p logs && touch airflow.cfg webserver_config.py
# Every Airflow process finds Nightsort here, the triggerer too.
ENV PYTHONPATH=${AIRFLOW_HOME}/include:${AIRFLOW_HOME}
# The airflow user of the official images, and of Astro's.
USER 50000
HEALTHCHECK --interval=30s --timeout=20s --start-period=90s --retries=3 \
    CMD ["python", "-m", "deployment.container.health"]


# Of its own, so that both images below take it after their packages: a change of a DAG installs nothing anew.
FROM scratch AS code
WORKDIR /code
COPY deployment/__init__.py deployment/
COPY deployment/container/ deployment/container/
COPY include/nightsort/ include/nightsort/
COPY include/classifiers/ include/classifiers/
COPY plugins/ plugins/
# May be missing: where an Astro deployment takes DAGs apart from the image, its CLI keeps them out of the build.
COPY dag[s] dags/


FROM packages AS airflow
COPY --from=code /code/ ./


# The local AWS of the compose file's profile `local`; nothing of it is in the image above.
FROM packages AS local-aws
COPY requirements/local.txt /tmp/nightsort/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/nightsort/local.txt
USER root
RUN install --directory --owner=50000 --group=0 /var/lib/nightsort
USER 50000
COPY --from=code /code/ ./
COPY nightsort_local/ nightsort_local/


# Last, so that a plain `docker build .`, and Astro, make this one.
FROM airflow

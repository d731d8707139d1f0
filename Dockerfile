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
# The airflow user of the official images.
USER 50000
HEALTHCHECK --interval=30s --timeout=20s --start-period=90s --retries=3 \
    CMD ["python", "-m", "deployment.container.health"]


FROM packages AS wheel
COPY requirements/build.txt /tmp/nightsort/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/nightsort/build.txt
# The images have the DAGs beside the wheel, so none travel in it.
RUN mkdir -p /tmp/tree/dags
WORKDIR /tmp/tree
COPY pyproject.toml README.md ./
COPY include/nightsort/ include/nightsort/
COPY plugins/ plugins/
COPY nightsort_local/ nightsort_local/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel .


# Of its own, so that both images below take it last: a change of a DAG or a spec installs nothing anew.
FROM scratch AS code
# The folder of specs; nightsort_local/samples for a trial with the samples.
ARG CLASSIFIERS=include/classifiers
WORKDIR /code
COPY deployment/__init__.py deployment/
COPY deployment/container/ deployment/container/
COPY ${CLASSIFIERS}/ include/classifiers/
COPY dags/ dags/


FROM packages AS airflow
COPY --from=wheel /tmp/wheel/ /tmp/wheel/
RUN pip install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl
COPY --from=code /code/ ./


# The local AWS of the compose file's profile `local`; what it needs is not in the image above.
FROM packages AS local-aws
COPY requirements/local.txt /tmp/nightsort/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/nightsort/local.txt
USER root
RUN install --directory --owner=50000 --group=0 /var/lib/nightsort
USER 50000
COPY --from=wheel /tmp/wheel/ /tmp/wheel/
RUN pip install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl
COPY --from=code /code/ ./


# Last, so that a plain `docker build .` makes this one.
FROM airflow

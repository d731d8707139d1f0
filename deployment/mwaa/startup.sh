# For Amazon MWAA, if you want specs that change without an update of the environment: beside the DAGs, in the
# bucket's folder dags/classifiers/. Without this script the specs are those inside plugins.zip.
# https://docs.aws.amazon.com/mwaa/latest/userguide/using-startup-script.html
export NIGHTSORT_SPECS="$AIRFLOW_HOME/dags/classifiers"

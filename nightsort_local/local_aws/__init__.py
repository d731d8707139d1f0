"""A local AWS on one port: moto's S3, IAM and STS, and an Amazon Comprehend with real learning.

``nightsort-local aws --port 4566`` starts it. An AWS client needs only its endpoint URL. The answers follow
botocore's service model and the published behaviour of the service. The parts, top down:

* :mod:`server`, :mod:`application`, :mod:`http_handler` - the port, and the routing of requests;
* :mod:`control` - the control API: faults, delays, rate limits;
* :mod:`permissions` - the IAM checks, where IAM is enforced;
* :mod:`comprehend` - the operations, the resources and their states, the wire protocols;
* :mod:`work` - trainings and jobs, in worker processes;
* :mod:`learning` - the models and their metrics;
* :mod:`faults` - the kinds of faults, and the faults in force;
* :mod:`s3` - objects in files instead of in memory, buckets that survive a restart.

A room imports only rooms below it (import-linter checks this).
"""

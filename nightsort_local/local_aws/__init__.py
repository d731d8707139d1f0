"""A local AWS on one port: moto's S3, IAM and STS, and an Amazon Comprehend whose custom classifiers learn.

``nightsort-local aws --port 4566`` starts it; any AWS client uses it by its endpoint URL
alone. What it answers follows botocore's service model and what is known of the real service. The parts:

* :mod:`server`, :mod:`http_handler`, :mod:`application`, :mod:`settings` - the port, and who answers;
* :mod:`control` - faults on demand, and how fast it is;
* :mod:`rights` - who may do what, where IAM is enforced;
* :mod:`s3` - objects on disk instead of in memory, buckets that survive a restart;
* :mod:`comprehend` - the operations, the resources with their lives, the wire rules;
* :mod:`work` - trainings and jobs, in processes of their own;
* :mod:`learning` - what learns, and how well.
"""

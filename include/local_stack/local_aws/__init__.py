"""A local AWS on one port: moto's S3, IAM and STS, and an Amazon Comprehend whose custom classifiers learn.

``python -m include.local_stack.local_aws --port 4566`` starts it; any AWS client uses it by its endpoint URL
alone. What it answers follows botocore's service model and what is known of the real service. The parts:

* :mod:`server`, :mod:`http_handler`, :mod:`application` - the port, and who answers a request;
* :mod:`object_bodies`, :mod:`aws_chunked`, :mod:`moto_s3`, :mod:`bucket_snapshot` - S3 objects on disk
  instead of in memory;
* :mod:`request_validation`, :mod:`errors`, :mod:`arns`, :mod:`listing` - the wire rules of Comprehend;
* :mod:`states`, :mod:`store`, :mod:`classifiers`, :mod:`jobs`, :mod:`tags` - its resources and their lives;
* :mod:`workers`, :mod:`worker_tasks` - training and classification in processes of their own;
* :mod:`labelled_data`, :mod:`text_features`, :mod:`text_classifier`, :mod:`calibration`, :mod:`metrics` -
  what learns, and how well;
* :mod:`job_input`, :mod:`job_output`, :mod:`object_store` - what a job reads and writes in S3.
"""

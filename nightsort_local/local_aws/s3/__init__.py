"""S3 of the local AWS: moto, with objects in files and buckets that survive a restart."""

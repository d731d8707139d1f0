"""The output of a job, joined with the documents of its batch."""

"""Faults on demand: what they are, and which of them hits a request, a training or a job."""

"""What `make run` starts on one machine; nothing of it is needed in production."""

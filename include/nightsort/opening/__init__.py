"""When a classifier's endpoint is to be open, what is to be done about it, and what it costs."""

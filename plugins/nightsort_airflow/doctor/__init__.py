"""The doctor: check a deployment from inside, with one line per check."""

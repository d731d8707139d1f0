"""The control API: faults, delays and rate limits, over HTTP on the server's own port."""

"""The local AWS told to fail: faults of requests and of work, over HTTP on the server's own port."""

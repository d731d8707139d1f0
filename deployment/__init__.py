"""What brings this tree to where it runs: the bundle for Amazon MWAA, the secrets of the compose file."""

"""What operators read and write, for OpenLineage where its provider is installed."""

"""New documents, cut into the batches of a run."""

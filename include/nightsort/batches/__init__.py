"""Cut new documents into the batches of a run."""

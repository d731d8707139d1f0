"""How documents are cut into batches, and what of an earlier preparation is kept: the parts of `batches`."""

"""Small tools for pyarrow and numpy columns, hashes and prefetching."""

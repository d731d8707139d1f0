"""Small tools for columns of pyarrow and numpy."""

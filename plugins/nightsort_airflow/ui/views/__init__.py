"""What each page shows, made of rows: plain values for the templates, without a database or a request."""

"""Results that were paid for, by the hash of their text: kept at loading, looked up before sending."""

"""What is known of Amazon Comprehend: limits, prices, permissions."""

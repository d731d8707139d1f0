"""Links from a task to the AWS console."""

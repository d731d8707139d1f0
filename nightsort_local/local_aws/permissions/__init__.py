"""IAM checks, where IAM is enforced: moto keeps users, roles and policies; the evaluation is our own."""

"""Who may do what when the local AWS enforces IAM: users, roles and policies are moto's, the judge ours."""

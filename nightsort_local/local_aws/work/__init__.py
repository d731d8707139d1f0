"""What happens in the background: trainings and jobs, in processes of their own."""

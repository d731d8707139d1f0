"""The API of the local Comprehend: its operations, its resources and their states, its wire protocols."""

"""The API of the local Comprehend: its operations, its resources with their lives, and its wire rules."""

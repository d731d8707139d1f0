"""Application Auto Scaling for the endpoints of the local Comprehend."""

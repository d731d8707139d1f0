"""Machine learning of the local Comprehend: labelled data, features, model, calibration, metrics."""

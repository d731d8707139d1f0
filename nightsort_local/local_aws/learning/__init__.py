"""How the local Comprehend learns: labelled data, features, model, calibration, metrics."""

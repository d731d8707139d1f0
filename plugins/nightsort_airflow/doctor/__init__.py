"""The doctor: looks at a deployment from inside, one line for each thing that must hold."""

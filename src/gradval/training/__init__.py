"""Training with and without differential privacy: steps, loop, checkpoints and resume."""

"""The architectures that are trained."""

"""What is asked: names, config, experiments, and what they cost."""

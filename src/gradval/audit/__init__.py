"""Lower bounds on epsilon from trainings with canaries."""

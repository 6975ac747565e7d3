"""The two sides of federated training as Flower apps; they need the extra `federation`."""

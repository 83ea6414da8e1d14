"""Learning a source model: the one training loop, on one or several devices."""

"""Mixtures to train and test on: corpora, scenes, room responses, noise, shards."""

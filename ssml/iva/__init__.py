"""The method: STFT, source models, update rules, and the one loop of AuxIVA."""

"""What a run is told: the sections of params.yaml, their names, where files lie."""

"""How well a method separates: methods, metrics, statistics, speech recognisers."""

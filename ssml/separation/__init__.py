"""What a user calls: Separator, Stream, recordings, diagnostics, exported graphs."""

"""What a user calls: Separator, Stream, Blocks, recordings, diagnostics, exported graphs."""

"""What every stage stands on: atomic files, errors, progress, provenance, memory."""

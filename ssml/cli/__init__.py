"""The command `ssml`: one module for each group of subcommands."""

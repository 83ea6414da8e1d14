"""`python -m ssml` is the command `ssml`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

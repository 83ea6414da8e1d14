"""`python -m ssml` is the command `ssml`."""

from .cli import console

if __name__ == "__main__":
    console()

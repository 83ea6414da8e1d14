"""`python -m ssml` is the command `ssml`."""

from .cli.main import console

if __name__ == "__main__":
    console()

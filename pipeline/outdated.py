"""Print Snakemake's options to make anew what other versions of the libraries computed.

    snakemake $(python -m pipeline.outdated)

Nothing is printed where all results are of the installed versions.
"""

from pipeline.arguments import parse
from ssml.config import layout
from ssml.files import versions
from ssml.files.errors import run


def main() -> None:
    params, _ = parse(__doc__)
    found = versions.outdated(layout.results(params))
    if found:
        print("--forcerun", *found)


if __name__ == "__main__":
    run(main)

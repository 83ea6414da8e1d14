"""Stage corpus: prepare the utterances and list them.

    python -m pipeline.corpus [--params params.yaml]

Reads the sections `seed` and `corpus`; writes `data/corpus/manifest.csv` and, where the corpus is
generated or downloaded, its audio beside it.
"""

import argparse
from pathlib import Path

from ssml import corpora, layout, params
from ssml.errors import run


def main() -> None:
    """Prepare the corpus that the params file names."""
    parser = argparse.ArgumentParser(description="Prepare the corpus and list its utterances.")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    given = params.load(parser.parse_args().params)
    root = corpora.root(given.corpus, layout.CORPUS)
    utterances = corpora.CORPORA[given.corpus.source](given.corpus, given.seed, root)
    corpora.write_manifest(layout.MANIFEST, utterances)
    speakers = {item.speaker for item in utterances}
    print(f"{len(utterances)} utterances of {len(speakers)} speakers in {root}")


if __name__ == "__main__":
    run(main)

"""Stage corpus: prepare the utterances and list them.

    python -m pipeline.corpus [--params params.yaml]

Reads the sections `seed` and `corpus`; writes `data/corpus/manifest.csv` and, where the corpus is
generated or downloaded, its audio beside it.
"""

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data import corpora


def main() -> None:
    """Prepare the corpus that the params file names."""
    params, _ = parse(__doc__)
    root = corpora.root(params.corpus, layout.CORPUS)
    utterances = corpora.prepare(params.corpus, params.seed, root)
    corpora.write_manifest(layout.MANIFEST, utterances)
    speakers = {item.speaker for item in utterances}
    print(f"{len(utterances)} utterances of {len(speakers)} speakers in {root}")


if __name__ == "__main__":
    run(main)

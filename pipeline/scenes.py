"""Draw the scenes of one shard: manifest -> data/scenes/SET/SHARD.jsonl."""

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data import scenes
from ssml.data.corpora import read_manifest
from ssml.files.io import write_lines


def main() -> None:
    params, arguments = parse(__doc__, "set", "shard")
    utterances = read_manifest(layout.MANIFEST)
    chosen = params.scenes.sets[arguments.set]
    write_lines(
        layout.scenes(arguments.set, arguments.shard),
        (
            scenes.draw(
                arguments.set, i, params.scenes, params.seed, utterances, params.fs
            ).to_json()
            for i in scenes.shard_ids(chosen, int(arguments.shard), params.mix.shard)
        ),
    )


if __name__ == "__main__":
    run(main)

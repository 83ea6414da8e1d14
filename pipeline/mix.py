"""Render the mixtures of one shard: data/scenes/SET/SHARD.jsonl -> data/mixtures/SET/SHARD.tar."""

from pipeline.arguments import parse
from ssml import corpora, layout
from ssml.dataset import encode_example, write_tar
from ssml.errors import run
from ssml.progress import progress
from ssml.rooms import render
from ssml.scenes import read


def main() -> None:
    params, arguments = parse(__doc__, "set", "shard")
    root = corpora.root(params.corpus, layout.CORPUS)
    spoken = {u.utterance: u for u in corpora.read_manifest(layout.MANIFEST)}
    scenes = read(layout.scenes(arguments.set, arguments.shard))
    write_tar(
        layout.mixtures(arguments.set, arguments.shard),
        (
            (
                scene.id,
                encode_example(
                    render(
                        scene,
                        [spoken[name] for name in scene.utterances],
                        root,
                        params.mix,
                        params.seed,
                        params.fs,
                    ),
                    params.fs,
                ),
            )
            for scene in progress(scenes, f"mix {arguments.set} {arguments.shard}", "mixtures")
        ),
    )


if __name__ == "__main__":
    run(main)

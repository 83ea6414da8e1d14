"""Render the mixtures of one shard: data/scenes/SET/SHARD.jsonl -> data/mixtures/SET/SHARD.tar."""

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data import corpora
from ssml.data.rooms import render, respond
from ssml.data.scenes import read
from ssml.data.shards import encode_mixture, write_tar
from ssml.files.progress import progress


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
                encode_mixture(
                    render(
                        scene,
                        [spoken[name] for name in scene.utterances],
                        root,
                        respond(scene, params.scenes, params.mix.max_order, params.fs),
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

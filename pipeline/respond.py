"""Simulate the rooms of one shard: data/scenes/SET/SHARD.jsonl -> data/responses/SET/SHARD.tar."""

from pipeline.arguments import parse
from ssml.config import layout
from ssml.data.bank import encode_room
from ssml.data.rooms import by_speaker, responses
from ssml.data.scenes import read
from ssml.data.shards import write_tar
from ssml.files.errors import run
from ssml.files.progress import progress


def main() -> None:
    params, arguments = parse(__doc__, "set", "shard")
    name, shard = arguments.set, arguments.shard
    scenes, order = read(layout.scenes(name, shard)), params.mix.max_order
    write_tar(
        layout.responses(name, shard),
        (
            (scene.id, encode_room(scene, by_speaker(responses(scene, params.fs, order))))
            for scene in progress(scenes, f"respond {name} {shard}", "rooms")
        ),
    )


if __name__ == "__main__":
    run(main)

"""The room responses of one shard: data/scenes/SET/SHARD.jsonl -> data/responses/SET/SHARD.tar."""

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data.bank import encode_room
from ssml.data.rooms import respond
from ssml.data.scenes import read
from ssml.data.shards import write_tar
from ssml.files.progress import progress


def main() -> None:
    params, arguments = parse(__doc__, "set", "shard")
    name, shard = arguments.set, arguments.shard
    given = params.scenes, params.mix.max_order, params.fs
    scenes = read(layout.scenes(name, shard))
    write_tar(
        layout.responses(name, shard),
        (
            (scene.id, encode_room(scene, respond(scene, *given)))
            for scene in progress(scenes, f"respond {name} {shard}", "rooms")
        ),
    )


if __name__ == "__main__":
    run(main)

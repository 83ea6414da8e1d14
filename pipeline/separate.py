"""Separate one test set by one method: -> results/separated/METHOD/SET.tar, estimates by source."""

import json

import numpy as np
import torch

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.data.shards import ShardReader, write_tar
from ssml.evaluation import methods
from ssml.files import allocator
from ssml.files.io import encode_flac
from ssml.files.progress import progress


def main() -> None:
    allocator.keep_freed()
    params, arguments = parse(__doc__, "method", "set")
    method = methods.build(params, arguments.method)
    limit = params.separate.methods[arguments.method].mixtures
    mixtures = ShardReader(layout.shards(params, arguments.set), params.fs, limit)

    def outputs():
        for example in progress(mixtures, f"{arguments.method} {arguments.set}", "mixtures"):
            ref = example.reference(params.score.reference)
            result = methods.separate(method, *map(torch.from_numpy, (example.mix, ref)))
            est = result.est.numpy()
            gain = min(1.0, 0.99 / max(float(np.abs(est).max()), 1e-9))  # 16 bits must not clip
            info = {"gain": gain, "failed": result.failed, "si_sdr": result.curve}
            yield (
                example.info["id"],
                {"est.flac": encode_flac(gain * est, params.fs), "json": json.dumps(info).encode()},
            )

    write_tar(layout.separated(arguments.method, arguments.set), outputs())


if __name__ == "__main__":
    run(main)

"""The report's second page: what chosen mixtures and every method's outputs of them sound like.

Reads results/, models/ and the mixtures; writes reports/listen.html and reports/audio/.
"""

from pipeline.arguments import parse, run
from ssml.config import layout
from ssml.files import io
from ssml.files.progress import progress
from ssml.report import chosen, listening, results


def main() -> None:
    params, _ = parse(__doc__)
    found = results.read(params)
    pieces, written = [], set()
    for one in progress(chosen.choose(found), "listen", "mixtures"):
        piece, sounds = listening.piece(found, one)
        pieces.append(piece)
        for name, data in sounds.items():
            io.write_bytes(layout.AUDIO / name, data)
            written.add(name)
    io.write_text(layout.LISTEN, listening.render(found, pieces))
    for path in layout.AUDIO.iterdir():  # of mixtures that another run chose
        if path.name not in written:
            path.unlink()


if __name__ == "__main__":
    run(main)

"""The download, against a real server that breaks off, starts anew, refuses or gives rubbish."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ssml.data.corpora import download
from ssml.files.errors import UserError

SUBSET = "dev-tiny"


def archive(top: str = "LibriSpeech", extra: tuple[str, ...] = ()) -> bytes:
    random = np.random.default_rng(0)
    names = (f"{top}/SPEAKERS.TXT", f"{top}/{SUBSET}/1/2/1-2-0000.flac", *extra)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            data = random.bytes(50_000)
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


class Server:
    """Serves `data`, `limit` bytes an answer; the ranges asked for are kept."""

    def __init__(self, data: bytes):
        self.data, self.limit, self.ranged, self.status = data, len(data), True, 200
        self.asked: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                server.asked.append(wanted)
                start = int(wanted[6:-1]) if wanted and server.ranged else 0
                status = 206 if start else server.status
                if start >= len(server.data):
                    status = 416
                rest = server.data[start:] if status in (200, 206) else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest[: server.limit])  # fewer than announced: it breaks off

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server():
    running = Server(archive())
    yield running
    running.server.shutdown()
    running.server.server_close()


def fetch(server, root, data=None):
    md5 = {SUBSET: hashlib.md5(data or server.data).hexdigest()}
    download.fetch(SUBSET, root, server.url, md5, pause=0)


def complete(root):
    audio = root / SUBSET / "1/2/1-2-0000.flac"
    left = {path.name for path in root.iterdir()}
    return audio.stat().st_size == 50_000 and left == {SUBSET, "SPEAKERS.TXT"}


def test_a_whole_answer_is_unpacked_and_nothing_else_is_left(server, tmp_path):
    fetch(server, tmp_path)
    assert complete(tmp_path) and server.asked == [None]


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    server.limit = 40_000
    fetch(server, tmp_path)
    assert complete(tmp_path)
    assert server.asked[:2] == [None, "bytes=40000-"]


def test_a_later_run_goes_on_from_the_part(server, tmp_path):
    (tmp_path / f"{SUBSET}.tar.gz.part").write_bytes(server.data[:12_345])
    fetch(server, tmp_path)
    assert complete(tmp_path) and server.asked == ["bytes=12345-"]


def test_a_part_that_is_whole_is_not_fetched_again(server, tmp_path):
    (tmp_path / f"{SUBSET}.tar.gz.part").write_bytes(server.data)
    fetch(server, tmp_path)
    assert complete(tmp_path)


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.ranged = False
    (tmp_path / f"{SUBSET}.tar.gz.part").write_bytes(b"other bytes")
    fetch(server, tmp_path)
    assert complete(tmp_path)


def test_a_damaged_archive_is_deleted(server, tmp_path):
    with pytest.raises(UserError, match=f"{SUBSET}.tar.gz: arrived damaged"):
        fetch(server, tmp_path, b"what it should be")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status, match", [(404, "says 404; is the name right"), (503, "says 503")])
def test_a_server_that_refuses(server, tmp_path, status, match):
    server.status = status
    with pytest.raises(UserError, match=match):
        fetch(server, tmp_path)
    assert len(server.asked) == (1 if status == 404 else download.TRIES)


def test_a_server_that_sends_nothing_ends_in_an_error_that_keeps_the_part(server, tmp_path):
    server.limit = 0
    part = tmp_path / f"{SUBSET}.tar.gz.part"
    part.write_bytes(server.data[:1000])
    with pytest.raises(UserError, match="run again to go on from 1000 bytes"):
        fetch(server, tmp_path)
    assert part.read_bytes() == server.data[:1000]


def test_a_server_that_is_not_there(server, tmp_path):
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(UserError, match=r"127\.0\.0\.1"):
        fetch(server, tmp_path)


@pytest.mark.parametrize(
    "data, match",
    [
        (b"no archive", "cannot be unpacked"),
        (archive(top="elsewhere"), f"holds no LibriSpeech/{SUBSET}"),
        (archive(extra=("../outside",)), "cannot be unpacked"),
        (archive()[:60_000], "cannot be unpacked"),
    ],
)
def test_an_unfit_archive_leaves_no_subset(server, tmp_path, data, match):
    server.data = data
    server.limit = len(data)
    with pytest.raises(UserError, match=match):
        fetch(server, tmp_path / "root")
    assert not (tmp_path / "root" / SUBSET).exists()
    assert not (tmp_path / "outside").exists()
    assert [path.name for path in (tmp_path / "root").iterdir()] == [f"{SUBSET}.tar.gz.part"]


def test_an_unknown_subset(tmp_path):
    with pytest.raises(UserError, match="no subset 'dev-dirty' to download; take dev-clean"):
        download.fetch("dev-dirty", tmp_path)

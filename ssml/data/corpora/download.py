"""Download of LibriSpeech's subsets from openslr.org: resumed after a break, checked, unpacked."""

import hashlib
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from ssml.files.errors import UserError

URL = "https://www.openslr.org/resources/12"
MD5 = {  # as openslr.org publishes them
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
}
TRIES = 8  # in a row that receive no byte
BLOCK = 1 << 20


def fetch(
    subset: str, root: Path, url: str = URL, md5: dict[str, str] = MD5, pause: float = 2.0
) -> None:
    """Download `subset` from `url` and unpack it to `root/subset`.

    Bytes received before a break stay in `<subset>.tar.gz.part` and are not fetched again. `pause`
    is the wait in s between tries. Raises `UserError` where the subset is unknown, the server does
    not give it, or it arrives damaged.
    """
    if subset not in md5:
        raise UserError(
            f"corpus.librispeech: no subset '{subset}' to download; take {', '.join(md5)}"
        )
    root.mkdir(parents=True, exist_ok=True)
    part = root / f"{subset}.tar.gz.part"
    _download(f"{url}/{subset}.tar.gz", part, pause)
    with open(part, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5[subset]:
        part.unlink()
        raise UserError(f"{url}/{subset}.tar.gz: arrived damaged and was deleted; run again")
    _unpack(part, subset, root)
    part.unlink()


def _download(url: str, part: Path, pause: float) -> None:
    """Append to `part` until it is complete."""
    failed = 0
    while failed < TRIES:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _append(url, part):
                return
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise UserError(
                    f"{url}: the server says {error.code}; is the name right?"
                ) from error
            reason = f"the server says {error.code}"
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        after = part.stat().st_size if part.exists() else 0
        failed = 0 if after > before else failed + 1
        time.sleep(pause)
    raise UserError(f"{url}: {reason}; run again to go on from {after} bytes")


def _append(url: str, part: Path) -> bool:
    """Fetch the missing bytes of `part`; return whether it is complete then."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        # all bytes were there before; a part that is too long fails its checksum
        if error.code == 416:
            return True
        raise
    with response:
        if start and response.status != 206:  # the server starts anew
            start = 0
        length = response.headers.get("Content-Length")
        with open(part, "ab" if start else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
        return length is None or part.stat().st_size == start + int(length)


def _unpack(archive: Path, subset: str, root: Path) -> None:
    """Unpack beside the subset's place, then rename, so that a broken run leaves no half subset."""
    with tempfile.TemporaryDirectory(prefix=f".{subset}.", dir=root) as folder:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(
                f"{archive}: cannot be unpacked ({error}); delete it and run again"
            ) from error
        unpacked = Path(folder) / "LibriSpeech"
        if not (unpacked / subset).is_dir():
            raise UserError(f"{archive}: holds no LibriSpeech/{subset}; delete it and run again")
        for file in unpacked.iterdir():  # SPEAKERS.TXT and its like, of any subset
            if file.is_file():
                file.replace(root / file.name)
        (unpacked / subset).replace(root / subset)

"""Show the runs in MLflow's pages: `python -m ssml.tracking.ui`, or `make ui PORT=5001`."""

import argparse
import os
import socket
import sys

from . import resend
from .store import open_store, uri
from .views import TAG, link

HOST = "127.0.0.1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ssml.tracking.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=5000, help="of the server; 5000 by default")
    parser.add_argument("--links", action="store_true", help="print the links, start no server")
    given = parser.parse_args()
    remote = uri().startswith("http")  # where a server runs already
    address = uri().rstrip("/") if remote else f"http://{HOST}:{given.port}"
    if not 0 < given.port < 65536:
        sys.exit(f"error: --port {given.port}: a port is a number from 1 to 65535")
    if not remote and not given.links and not _is_free(given.port):
        sys.exit(f"error: port {given.port} is in use; name another one: make ui PORT=5001")
    try:
        resend()
        for line in links(address):
            print(line)
    except Exception as error:  # a server that is down, a location or a database that is too old
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        sys.exit(f"error: {uri()}: MLflow cannot open it ({reason}); see MLFLOW_TRACKING_URI")
    if remote or given.links:
        return
    sys.stdout.flush()
    # eight processes for evaluations of language models, which there are none of
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--host", HOST]
    command += ["--port", str(given.port), "--backend-store-uri", uri()]
    os.execv(command[0], command)


def links(address: str) -> list[str]:
    """The name and the page of each experiment that has a view, the newest first."""
    found = [one for one in open_store().client.search_experiments() if TAG in one.tags]
    if not found:
        return [f"{address} has no runs yet: make reproduce"]
    width = max(len(one.name) for one in found)
    return [f"{one.name:{width}}  {address}/{link(one.experiment_id)}" for one in found]


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()

"""The workflow through a Slurm that the test starts, by a bucket, and results over SSH by DVC.

Slurm and SSH need root and Debian's packages (slurm-wlm, openssh-server), all need plugins (`pip
install '.[cluster]'`); a test is skipped where one is missing. No server is bound to anything but
127.0.0.1.
"""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from ssml.config import layout
from tests.killing import differences, forget, outcome, small
from tests.project import BIN, Project, copied, jobs

pytestmark = pytest.mark.slow


def need(*programs: str, module: str, root: bool = True) -> None:
    if root and (os.name != "posix" or os.geteuid()):
        pytest.skip("needs root, to start servers")
    for program in programs:
        if not shutil.which(program, path=f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"):
            pytest.skip(f"needs {program}, from Debian's slurm-wlm, munge or openssh-server")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs the Python package {module}: pip install '.[cluster]'")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(what, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"{what} is not so after {seconds} s"
        time.sleep(0.5)


class Daemons:
    """Servers in the foreground, ended with the test."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.running = logs, []

    def start(self, *command: str, **environment: str) -> None:
        log = open(self.logs / f"{Path(command[0]).name}.log", "wb")  # noqa: SIM115
        env = {**os.environ, **environment, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        self.running.append(
            subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        )

    def end(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def daemons(tmp_path):
    started = Daemons(tmp_path)
    yield started
    started.end()


@pytest.fixture
def slurm(request, tmp_path, daemons):
    """A cluster of this one machine."""
    need("munged", "slurmctld", "slurmd", "sbatch", module="snakemake_executor_plugin_slurm")
    # munged serves through a socket in the file system; its folders must be its own
    for name in ("munge", "state", "spool"):
        (tmp_path / name).mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    key = tmp_path / "munge/key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    owner = pwd.getpwuid(0)
    daemons.start(
        "munged", "--foreground", "--force", f"--socket={tmp_path}/munge/socket",
        f"--key-file={key}", f"--pid-file={tmp_path}/munge/pid", f"--seed-file={tmp_path}/munge/s",
    )  # fmt: skip
    wait_until((tmp_path / "munge/socket").exists)
    host = socket.gethostname().partition(".")[0]
    ports = free_port(), free_port()
    (tmp_path / "slurm.conf").write_text(
        f"ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser={owner.pw_name}\n"
        f"SlurmctldPort={ports[0]}\nSlurmdPort={ports[1]}\n"
        f"AuthInfo=socket={tmp_path}/munge/socket\nStateSaveLocation={tmp_path}/state\n"
        f"SlurmdSpoolDir={tmp_path}/spool\nSlurmctldPidFile={tmp_path}/ctld.pid\n"
        f"SlurmdPidFile={tmp_path}/d.pid\nCommunicationParameters=NoCtldInAddrAny,NoInAddrAny\n"
        "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n"
        "SelectType=select/cons_tres\nSelectTypeParameters=CR_Core_Memory\nReturnToService=2\n"
        "JobAcctGatherType=jobacct_gather/none\n"
        "AccountingStorageType=accounting_storage/none\n"
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=8000\n"
        f"PartitionName=main Nodes={host} Default=YES State=UP\n"
    )
    system = Path("/etc/slurm/slurm.conf")  # jobs are not told SLURM_CONF
    if os.path.lexists(system):
        pytest.skip(f"{system} is there already: this machine has a Slurm of its own")
    system.parent.mkdir(exist_ok=True)
    system.symlink_to(tmp_path / "slurm.conf")
    request.addfinalizer(system.unlink)
    daemons.start("slurmctld", "-D", "-c")
    daemons.start("slurmd", "-D")
    try:
        wait_until(lambda: "idle" in subprocess.check_output(["sinfo"], text=True))
    except (AssertionError, subprocess.CalledProcessError):
        logs = [(tmp_path / f"{name}.log").read_text()[-200:] for name in ("slurmctld", "slurmd")]
        pytest.skip(f"Slurm does not start here: {logs}")


def test_the_pipeline_through_slurm_makes_the_same(tmp_path, slurm, finished_small):
    """Every stage through the queue: the same files as without, and nothing left to do."""
    project = small(tmp_path / "project")
    path = project.folder / "profiles/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["default-resources"].update(mem_mb=2000, runtime=30)
    profile.update(
        {"slurm-init-seconds-before-status-checks": 1, "seconds-between-status-checks": 1}
    )
    path.write_text(yaml.safe_dump(profile))
    printed = project.run("snakemake", "--profile", "profiles/slurm")
    queued = {rule for rule in layout.STAGES if re.search(rf"^rule {rule}:", printed, re.M)}
    assert queued == set(layout.STAGES) - {"respond"}  # which these parameters do not need
    collected = ("all", "mixtures", "models", "results")  # without a command
    sent = sum(n for rule, n in jobs(printed).items() if rule not in collected)
    assert printed.count("has been submitted with SLURM jobid") == sent
    assert "Nothing to be done" in project.snakemake("-n")
    here = outcome(copied(finished_small, tmp_path / "here"))
    assert differences(outcome(project), here) == {"files": [], "tracked": []}


@pytest.fixture
def ssh(tmp_path, daemons):
    """An SSH server for this user alone; returns its port and the user's key."""
    need("sshd", "ssh-keygen", module="dvc_ssh")
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    (tmp_path / "authorized").write_bytes((tmp_path / "user.pub").read_bytes())
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd drops its rights
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\n"
        f"AuthorizedKeysFile {tmp_path}/authorized\nPidFile {tmp_path}/sshd.pid\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nStrictModes no\nSubsystem sftp internal-sftp\n"
    )
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
    assert sshd
    daemons.start(sshd, "-D", "-e", "-f", str(tmp_path / "sshd_config"))

    wait_until(lambda: answers(port))
    return port, tmp_path / "user"


def test_a_clone_pulls_over_ssh_and_has_nothing_to_do(tmp_path, ssh, finished):
    """All that the workflow made, pushed to a server and pulled into a fresh clone."""
    port, key = ssh
    project = copied(finished, tmp_path / "project")
    settings = {"port": str(port), "user": pwd.getpwuid(0).pw_name, "keyfile": str(key)}
    remote = f"ssh://127.0.0.1{tmp_path}/store"
    project.run("dvc", "remote", "add", "-d", "server", remote)
    for name, value in settings.items():
        project.run("dvc", "remote", "modify", "server", name, value)
    project.run("dvc", "push", "-q")
    assert any((tmp_path / "store").rglob("*"))
    project.commit("results")
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.run("dvc", "pull", "-q")
    assert clone.digests() == project.digests()
    clone.assert_settled()


@pytest.fixture
def bucket(daemons, monkeypatch):
    """An S3 bucket served on this machine: its client and where it is."""
    need("moto_server", module="snakemake_storage_plugin_s3", root=False)
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    port = free_port()
    daemons.start(str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port))
    place = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(port))
    client = boto3.client("s3", endpoint_url=place, region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    return client, place


def test_an_object_store_holds_the_same_and_is_brought_home(tmp_path, bucket, librispeech):
    """The tables by way of a bucket; then they are copied from it, and nothing is left to do."""
    client, place = bucket
    project = small(tmp_path / "project")
    project.edit("params.yaml", "source: synthetic", "source: librispeech")
    project.edit("params.yaml", "root: null", f"root: {librispeech}")
    project.edit("params.yaml", "utterances: null", "utterances: presets/excerpt-utterances.txt")
    settings = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/run"]
    settings += ["--storage-s3-endpoint-url", place, "--shared-fs-usage", "persistence", "sources"]
    project.snakemake("results", *settings, "software-deployment", "source-cache")
    assert not (project.folder / "data").exists()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="run/")
    for found in (one for page in pages for one in page["Contents"]):
        path = project.folder / found["Key"].removeprefix("run/")
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file("bucket", found["Key"], str(path))
        os.utime(path, (found["LastModified"].timestamp(),) * 2)
    assert "Nothing to be done" in project.snakemake("-n", "results")
    brought = project.digests()
    forget(project)
    project.snakemake("--quiet", "all", "--", "results")
    assert project.digests() == brought

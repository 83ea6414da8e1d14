"""The workflow through a Slurm that the test starts; results through a DVC remote over SSH.

Both need root, Debian's packages (slurm-wlm, openssh-server) and a plugin (`pip install
'.[cluster]'`), and are skipped where one is missing. No server is bound to anything but 127.0.0.1.
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

from ssml import layout
from tests.killing import differences, forget, outcome, small
from tests.project import Project, checkout, jobs

pytestmark = pytest.mark.slow


def need(*programs: str, module: str) -> None:
    if os.name != "posix" or os.geteuid():
        pytest.skip("needs root, to start servers")
    for program in programs:
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            pytest.skip(f"needs {program}, from Debian's slurm-wlm, munge or openssh-server")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs the Python package {module}: pip install '.[cluster]'")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    wait_until(lambda: "idle" in subprocess.run(["sinfo"], capture_output=True, text=True).stdout)


def test_the_pipeline_through_slurm_makes_the_same(tmp_path, slurm):
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
    here = ("all", "mixtures", "models", "results")
    sent = sum(n for rule, n in jobs(printed).items() if rule not in here)
    assert printed.count("has been submitted with SLURM jobid") == sent
    assert "Nothing to be done" in project.snakemake("-n")
    through = outcome(project)
    forget(project)
    project.snakemake("--quiet", "all")
    assert differences(through, outcome(project)) == {"files": [], "tracked": []}


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

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers)
    return port, tmp_path / "user"


def test_a_clone_pulls_over_ssh_and_has_nothing_to_do(tmp_path, ssh):
    """The first phase of the workflow, pushed to a server and pulled into a fresh clone."""
    port, key = ssh
    project = checkout(tmp_path / "project")
    project.run("dvc", "repro", "mixtures")
    settings = {"port": str(port), "user": pwd.getpwuid(0).pw_name, "keyfile": str(key)}
    remote = f"ssh://127.0.0.1{tmp_path}/store"
    project.run("dvc", "remote", "add", "-d", "server", remote)
    for name, value in settings.items():
        project.run("dvc", "remote", "modify", "server", name, value)
    project.run("dvc", "push", "-q")
    assert any((tmp_path / "store").rglob("*"))
    project.commit("mixtures")
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.run("dvc", "pull", "-q", "mixtures")
    assert clone.digests() == project.digests()
    assert "up to date" in clone.run("dvc", "status", "mixtures")

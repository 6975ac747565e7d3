"""A throw-away real SLURM on loopback: two nodes with fake GPUs, private to one folder.

Every daemon listens on 127.0.0.1 only, with its own key, and is ended by the id in its pid file.
GPUs are character devices that nobody opens: SLURM hands them out and sets CUDA_VISIBLE_DEVICES.
"""

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from string import Template

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PACKAGES = ("slurm-wlm", "munge")
NODES = ("n1", "n2")
GPUS = ("/dev/null", "/dev/zero")
CPUS, MEMORY_MB = 2, 16_000


def missing_programs():
    """What of SLURM is not on this machine; daemons may lie outside an ordinary PATH."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    return [program for program in PROGRAMS if shutil.which(program) is None]


def install():
    """Install SLURM from the system's packages; return why that is not possible, if so."""
    if shutil.which("apt-get") is None or os.getuid() != 0:
        return f"needs root and apt-get to install {' '.join(PACKAGES)}"
    # Debian's way to say that the packages' own services shall not be started.
    policy = Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            try:
                done = subprocess.run(
                    ["apt-get", *command],
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    text=True,
                    timeout=300,
                )
            except subprocess.TimeoutExpired:
                return f"apt-get {command[0]} took more than 300 s"
            if done.returncode != 0:
                return f"apt-get {command[0]} failed: {done.stderr.strip()[-200:]}"
    finally:
        if made:
            policy.unlink()
    return None


class Cluster:
    """One controller and two nodes below `folder`; see the module."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = _free_ports(1 + len(NODES))
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def start(self):
        (self.folder / "state").mkdir(parents=True)
        self._write_configuration()
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        self.run(
            "munged",
            f"--key-file={key}",
            *(
                f"--{option}={self.folder / file}"
                for option, file in (
                    ("socket", "munge.socket"),
                    ("pid-file", "munged.pid"),
                    ("log-file", "munged.log"),
                    ("seed-file", "munged.seed"),
                )
            ),
        )
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.wait_for(lambda: self.idle_nodes() == set(NODES), "idle nodes")

    def stop(self):
        """Cancel all jobs, then end every process of this cluster."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # no controller answers
            subprocess.run(
                ["scancel", "--user", getpass.getuser()], env=self.environment, timeout=20
            )
        time.sleep(1)
        for pid in self.processes():
            _kill(pid, signal.SIGKILL)
        for file in self.folder.glob("*.pid"):
            _kill(int(file.read_text()), signal.SIGKILL)

    def start_controller(self):
        self.run("slurmctld")

    def stop_controller(self):
        self._end(self.folder / "slurmctld.pid", signal.SIGTERM)

    def start_node(self, node):
        self.run("slurmd", "-N", node)

    def preempt(self, node):
        """Take a node's GPUs for a short job that is more urgent than those of the study."""
        self.run(
            *("sbatch", "--partition=urgent", f"--nodelist={node}", f"--gres=gpu:{len(GPUS)}"),
            *("--mem=100", "--output=/dev/null", "--comment=urgent", "--wrap=true"),
        )

    def kill_node(self, node):
        """As if its plug were pulled: the daemon, its jobs and all their processes."""
        jobs = [job["JobId"] for job in self.jobs() if job.get("NodeList") == node]
        self._end(self.folder / f"slurmd-{node}.pid", signal.SIGKILL)
        # Stopped first, lest one lives to report the death of another to the controller.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in self.processes(jobs):
                _kill(pid, number)

    def freeze(self, job, script):
        """Stop the processes of a job that run a script, until a signal of SLURM ends them."""
        frozen = [pid for pid in self.processes([job]) if script in _read(pid, "cmdline")]
        for pid in frozen:
            _kill(pid, signal.SIGSTOP)
        assert frozen, f"job {job} runs no {script}"

    def processes(self, jobs=None):
        """Process id -> environment, of these jobs or of all; the jobs' own daemons first."""
        daemons, others = {}, {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            pid = int(entry.name)
            parts = _read(pid, "environ").split("\0")
            variables = dict(part.split("=", 1) for part in parts if "=" in part)
            if variables.get("SLURM_CONF") != self.environment["SLURM_CONF"]:
                continue
            if found := re.match(r"slurmstepd: \[(\d+)\.", _read(pid, "cmdline")):
                job, group = found.group(1), daemons
            else:
                job, group = variables.get("SLURM_JOB_ID"), others
            if job is not None and (jobs is None or job in jobs):
                group[pid] = variables
        return daemons | others

    def run(self, *command):
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
        return done.stdout

    def idle_nodes(self):
        done = subprocess.run(
            ["sinfo", "--noheader", "-N", "-t", "idle", "-o", "%N"],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        return set(done.stdout.split())

    def jobs(self):
        """Every job that the controller remembers, in order: scontrol's fields by their names."""
        blocks = self.run("scontrol", "show", "jobs", "--oneliner").splitlines()
        jobs = [
            dict(part.split("=", 1) for part in block.split() if "=" in part)
            for block in blocks
            if block.startswith("JobId=")
        ]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def jobs_of(self, rule):
        return [job for job in self.jobs() if job.get("Comment", "").startswith(f"rule_{rule}")]

    @staticmethod
    def wait_for(condition, what, seconds=600):
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, f"no {what} within {seconds} s"
            time.sleep(0.3)
        return result

    def _write_configuration(self):
        # The weights let jobs begin on n1 unless they ask for n2.
        template = Template((Path(__file__).parent / "slurm.conf").read_text())
        lines = [template.substitute(folder=self.folder, user=getpass.getuser(), port=self.port)]
        gpus = ["AutoDetect=off"]
        for i, node in enumerate(NODES):
            lines.append(
                f"NodeName={node} NodeHostname={socket.gethostname().split('.')[0]} "
                f"NodeAddr=127.0.0.1 Port={self.port + 1 + i} CPUs={CPUS} "
                f"RealMemory={MEMORY_MB} Gres=gpu:a100:{len(GPUS)} Weight={i + 1}"
            )
            # One line a device: a count with one file is fatal.
            gpus += [f"NodeName={node} Name=gpu Type=a100 File={file}" for file in GPUS]
        lines.append("PartitionName=all Nodes=ALL Default=YES MaxTime=1-0 DefaultTime=10")
        lines.append("PartitionName=urgent Nodes=ALL MaxTime=10 PriorityTier=2")
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "gres.conf").write_text("\n".join(gpus) + "\n")
        # The plugin's job step drops SLURM_CONF before its inner srun, so that only clusters with
        # a configuration in /etc work; this one puts it back.
        wrapper = self.folder / "bin/srun"
        wrapper.parent.mkdir()
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        wrapper.chmod(0o755)

    def _end(self, pid_file, number):
        pid = int(pid_file.read_text())
        _kill(pid, number)
        self.wait_for(lambda: not _alive(pid), f"end of {pid_file.stem}")


def _kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _read(pid, file):
    """A file of a process in /proc; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except OSError:
        return ""


def _alive(pid):
    """Whether a process runs; a zombie does not (containers often have nobody to reap it)."""
    state = _read(pid, "stat")
    return state != "" and ") Z " not in state


def _free_ports(count):
    """The first of a block of free ports."""
    for base in range(26800, 30000, 100):
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports for SLURM")

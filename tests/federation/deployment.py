"""A SuperLink and SuperNodes on loopback, with TLS and node authentication, as real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

APP = Path(__file__).with_name("app")
SOURCE = Path(__file__).parents[2] / "src"


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


class Deployment:
    """Certificates, keys, a SuperLink and one SuperNode a site folder; ended by `stop`."""

    def __init__(self, work: Path, sites: list[Path]) -> None:
        self.work, self.sites, self.port = work, sites, free_port()
        folders = [str(Path(sys.executable).parent), *_scripts(), os.environ["PATH"]]
        self.environment = {
            **os.environ,
            "FLWR_HOME": f"{work}/home",
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
            "OMP_NUM_THREADS": "1",
            "PATH": ":".join(folders),  # the daemons start their helpers by name
            "PYTHONPATH": f"{SOURCE}:{os.environ.get('PYTHONPATH', '')}",
        }
        self.processes: dict[str, subprocess.Popen] = {}
        (work / "home").mkdir(parents=True)
        self._certify()
        (work / "home/config.toml").write_text(
            f'[superlink]\ndefault = "t"\n[superlink.t]\naddress = "127.0.0.1:{self.port}"\n'
            f'root-certificates = "{work}/ca.crt"\n'
        )

    def _certify(self) -> None:
        def run(*command: str) -> None:
            subprocess.run(command, cwd=self.work, check=True, capture_output=True)

        new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
        run(*new, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test")
        run(*new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
        (self.work / "san").write_text("subjectAltName=IP:127.0.0.1\n")
        run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "server.crt", "-extfile", "san")  # fmt: skip
        for number in range(len(self.sites) + 1):  # one more, which is never registered
            run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", f"node{number}")

    def _tls(self) -> list[str]:
        return ["--ssl-ca-certfile", f"{self.work}/ca.crt", "--ssl-certfile",
                f"{self.work}/server.crt", "--ssl-keyfile", f"{self.work}/server.key"]  # fmt: skip

    def _start(self, name: str, *command: str) -> subprocess.Popen:
        with (self.work / f"{name}.log").open("ab") as log:
            # A session each: one signal ends the helpers too.
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        return self.processes[name]

    def start(self) -> None:
        """Start the SuperLink, register the nodes' keys, start the nodes."""
        link = self._start("link", "flower-superlink", "--host", "127.0.0.1", "--port", self.port,
                           "--enable-supernode-auth", *self._tls())  # fmt: skip
        while socket.socket().connect_ex(("127.0.0.1", int(self.port))):
            assert link.poll() is None, (self.work / "link.log").read_text()
            time.sleep(0.5)
        for number in range(len(self.sites)):
            self.flwr("supernode", "register", f"{self.work}/node{number}.pub", "t")
            self.start_node(number)

    def start_node(self, number: int) -> subprocess.Popen:
        """Start the SuperNode of a site, or one beyond them with a key that is not registered."""
        folder = self.sites[min(number, len(self.sites) - 1)]
        return self._start(
            f"node{number}", "flower-supernode", "--superlink", f"127.0.0.1:{self.port}",
            "--host", "127.0.0.1", "--port", free_port(),
            "--root-certificates", f"{self.work}/ca.crt",
            "--auth-supernode-private-key", f"{self.work}/node{number}", *self._tls(),
            "--node-config", f'partition-id={number} data="{folder}"',
        )  # fmt: skip

    def kill_node(self, number: int) -> None:
        """As a machine that loses its power."""
        process = self.processes[f"node{number}"]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def flwr(self, *arguments: str) -> str:
        """Run flwr and return what it prints."""
        done = subprocess.run(["flwr", *arguments], env=self.environment, text=True, timeout=120,
                              capture_output=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, **config: object) -> str:
        """Start a run and return its id."""
        text = " ".join(f'{key}="{value}"' for key, value in config.items())
        found = self.flwr("run", str(APP), "t", "--format", "json", "--run-config", text)
        return str(json.loads(found)["run-id"])

    def status(self, run: str) -> str:
        """Status of a run; `flwr run --stream` would exit 0 after failures too."""
        found = self.flwr("list", "t", "--run-id", run, "--format", "json")
        return str(json.loads(found)["runs"][0]["status"])

    def stop(self) -> None:
        """End every process, the SuperLink last."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)


def _scripts() -> list[str]:
    """Where Flower's commands are if it was installed into a folder of its own."""
    import flwr

    return [str(Path(flwr.__file__).parents[1] / "bin")]

"""What end-to-end tests stand on: real Strata processes on free ports in a scratch folder, real clients, and their logs on failure.

Python 3.11, standard library only. Programs come from bazel-bin (build //services/... first); STRATA_BAZEL_BIN names another folder.
Everything that a test starts is ended by its process id, and everything it writes is below its scratch folder.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BAZEL_BIN = Path(os.environ.get("STRATA_BAZEL_BIN", REPOSITORY / "bazel-bin"))
STORE = "services/store/strata-store"
REGISTRY = "services/registry/strata-registry"
BUILDER = "services/builder/strata-builder"
CLI = "cli/strata"

READY_SECONDS = 30
STOP_SECONDS = 15
LOG_TAIL_LINES = 25


class CommandFailed(AssertionError):
    """A client ended with another exit code than the test wants; the message has its output."""


def binary(relative):
    path = BAZEL_BIN / relative
    if not path.exists():
        target = "//" + ":".join(relative.rsplit("/", 1))
        raise AssertionError(f"{path} is missing; build it first: bazel build {target}")
    return str(path)


def free_port():
    """A port below the range the kernel hands out itself, so that no client connection takes it between here and the bind."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port between 20000 and 32000")


def run(command, timeout=120, check=True, env=None, stdin=None, cwd=None):
    """Runs a client to its end and returns it, output as text. A missing client, a timeout or a failure fails the test.

    `stdin` is text, or an open file.
    """
    command = [str(part) for part in command]
    source = {"stdin": stdin} if hasattr(stdin, "fileno") else {"input": stdin if stdin is not None else ""}
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, cwd=cwd,
                              env={**os.environ, **(env or {})}, **source)
    except FileNotFoundError:
        raise CommandFailed(f"the client {command[0]!r} is not installed") from None
    except subprocess.TimeoutExpired as expired:
        raise CommandFailed(f"{' '.join(command)}: not done after {timeout} s\n{expired.stdout}\n{expired.stderr}") from None
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(condition, seconds, what, interval=0.02):
    """Polls until `condition()` is true; fails saying `what` was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(interval)
    raise AssertionError(f"not within {seconds} s: {what}")


def document_commands(path, *beginnings):
    """The lines in the code blocks of a Markdown document that begin with one of these, in their order."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(beginnings)]


def tree_bytes(folder):
    """Bytes of all files below a folder that others may be changing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                pass
    return total


class Service:
    """One process of ours, or a daemon that a test needs. May be killed and started again with the same command."""

    def __init__(self, name, command, log_path, ready, env=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = Path(log_path)
        self.ready = ready  # called until it returns true
        self.env = {**os.environ, **(env or {})}
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            try:
                self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                env=self.env, start_new_session=True)
            except FileNotFoundError:
                raise AssertionError(f"{self.name}: {self.command[0]!r} is not installed") from None
        wait_until(self._ready_or_dead, READY_SECONDS, f"{self.name} to become ready\n{self.log_tail()}")

    def _ready_or_dead(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.log_tail()}")
        return self.ready()

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM, and SIGKILL when that does not help; returns the exit code. Harmless when it is not running."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill9()
        return self.process.returncode

    def log_tail(self):
        if not self.log_path.exists():
            return ""
        lines = self.log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"--- {self.name}: last lines of {self.log_path.name} ---\n" + "\n".join(lines)


def http_ready(port, path="/readyz"):
    """A readiness check: GET answers 200."""
    def check():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
    return check


class Stack:
    """A store and a registry over it, with fixed addresses, so that either may die and come back."""

    def __init__(self, scratch):
        self.scratch = Path(scratch)
        self.data = self.scratch / "store-data"
        self.data.mkdir()
        self.store_port = free_port()
        self.store = self._store()
        self.registries = []
        self.registry = self.add_registry()
        self.address = self.registry.address

    def _store(self):
        admin = free_port()
        service = Service("store", [binary(STORE), "--listen", f"127.0.0.1:{self.store_port}", "--data", self.data,
                                    "--admin-listen", f"127.0.0.1:{admin}"],
                          self.scratch / "store.log", http_ready(admin))
        service.admin_port = admin
        return service

    def add_registry(self):
        """One more replica over the same store, not started yet."""
        port, admin = free_port(), free_port()
        name = f"registry{len(self.registries) or ''}"
        service = Service(name, [binary(REGISTRY), "--listen", f"127.0.0.1:{port}", "--store", f"127.0.0.1:{self.store_port}",
                                 "--admin-listen", f"127.0.0.1:{admin}"],
                          self.scratch / f"{name}.log", http_ready(admin))
        service.port = port
        service.admin_port = admin
        service.address = f"127.0.0.1:{port}"
        self.registries.append(service)
        return service

    def start(self):
        self.store.start()
        self.registry.start()

    def restart(self, service):
        """Starts what was killed, and waits until the registry has found the store again, which takes it up to a second."""
        service.start()
        wait_until(self.registry.ready, READY_SECONDS, "the registry to reach the store again")

    def services(self):
        return [self.store, *self.registries]

    def stop(self):
        for service in reversed(self.services()):
            service.stop()


class Dockerd:
    """Docker's daemon with everything below `scratch`; `docker(...)` is its client."""

    def __init__(self, scratch):
        self.scratch = Path(scratch) / "dockerd"
        self.scratch.mkdir()
        # Unix socket paths are short; scratch folders may not be.
        self.run_dir = Path(tempfile.mkdtemp(prefix="strata-dockerd-"))
        self.socket = f"unix://{self.run_dir}/docker.sock"
        self.exec_root = self.run_dir / "exec"
        config = self.scratch / "daemon.json"
        config.write_text("{}")
        self.service = Service(
            "dockerd",
            ["dockerd", "--config-file", config, "--data-root", self.scratch / "data", "--exec-root", self.exec_root,
             "--pidfile", self.run_dir / "docker.pid", "-H", self.socket, "--iptables=false", "--ip6tables=false",
             f"--bridge={self._make_bridge()}", "--storage-driver", "overlay2"],
            self.scratch / "dockerd.log", self._answers)

    def _make_bridge(self):
        """A bridge of its own: with "none", dockerd would take docker0 away from the machine's own dockerd."""
        self.bridge = f"se2e{os.getpid() % 100000:05}{random.randrange(1000):03}"
        if run(["ip", "link", "add", self.bridge, "type", "bridge"], check=False).returncode != 0:
            self.bridge = None
        return self.bridge or "none"

    def _answers(self):
        return self.docker("version", "--format", "{{.Server.Version}}", check=False).returncode == 0

    def start(self):
        self.service.start()

    def docker(self, *arguments, timeout=120, check=True):
        environment = {"DOCKER_HOST": self.socket, "DOCKER_CONFIG": str(self.scratch / "client")}
        return run(["docker", *arguments], timeout=timeout, check=check, env=environment)

    def stop(self):
        containerd = self._containerd_pid()
        self.service.stop()
        if containerd is not None:
            _end_pid(containerd)
        if self.bridge is not None:
            run(["ip", "link", "delete", self.bridge], check=False)
        for mount in _mounts_below(self.scratch) + _mounts_below(self.run_dir):
            run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def _containerd_pid(self):
        """dockerd ends its own containerd, unless dockerd itself was killed."""
        path = self.exec_root / "containerd" / "containerd.pid"
        return int(path.read_text()) if path.exists() else None


def _end_pid(pid):
    """Ends a process that is not our child."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"containerd" in command:
            os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass


def _mounts_below(folder):
    prefix = str(folder) + "/"
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(prefix)), reverse=True)


def _remove_for_good(folder):
    """podman cleans up after a container in a process of its own, which may write its files once more."""
    for _ in range(20):
        for mount in _mounts_below(folder):
            run(["umount", "-l", mount], check=False)
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.3)
        if not folder.exists():
            return


class Http:
    """A plain HTTP client for one registry; every call is one request."""

    def __init__(self, address, timeout=60):
        self.address = address
        self.timeout = timeout

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=self.timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            response.content = response.read()
            return response
        finally:
            connection.close()

    def get_json(self, path):
        response = self.request("GET", path)
        if response.status != 200:
            raise AssertionError(f"GET {path}: {response.status} {response.content[:500]!r}")
        return json.loads(response.content)


class ScratchTestCase(unittest.TestCase):
    """A class of tests that share a scratch folder (`cls.scratch`) and the services in `cls.started`, ended in reverse order."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp(prefix="strata-e2e-"))
        cls.started = []
        cls.addClassCleanup(cls._clean_up)

    @classmethod
    def launch(cls, service):
        """Starts a Stack, Dockerd or Service that lives as long as the class."""
        cls.started.append(service)
        service.start()
        return service

    @classmethod
    def _clean_up(cls):
        for service in reversed(cls.started):
            service.stop()
        if os.environ.get("STRATA_E2E_KEEP"):
            print(f"kept {cls.scratch}", file=sys.stderr)
        else:
            _remove_for_good(cls.scratch)

    def short_folder(self):
        """A folder of the test's own with a path short enough for sockets and podman's --runroot (50 characters)."""
        folder = Path(tempfile.mkdtemp(prefix="se2e-"))
        self.addCleanup(_remove_for_good, folder)
        return folder

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            self.print_logs()

    @classmethod
    def print_logs(cls):
        for thing in cls.started:
            for service in thing.services() if isinstance(thing, Stack) else [getattr(thing, "service", thing)]:
                print(service.log_tail(), file=sys.stderr)

"""The programs that are compared, each started afresh in a scratch folder on ports of its own, and ended by process id."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import BAZEL_BIN, binary, free_port, http_ready  # noqa: E402
from meter import Kept, run_metered  # noqa: E402

BUILDER = "services/builder/strata-builder"
CLIENT = "cli/strata"
STARTUP_SECONDS = 60


class Failed(Exception):
    """A peer does not start or a command failed; the message has the end of its log."""


def wait_ready(kept, ready, what):
    deadline = time.monotonic() + STARTUP_SECONDS
    while not ready():
        if kept.has_ended() or time.monotonic() > deadline:
            raise Failed(f"{what} did not become ready\n{kept.log_tail()}")
        time.sleep(0.02)


def check_call(command, env=None, what=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Failed(f"{what or ' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def unmount_below(folder):
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", point], check=False)


class Peer:
    """Processes over one scratch folder. `servers` is what a measurement counts."""

    def __init__(self, scratch):
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{self.folder}-", dir=scratch))
        self.servers = []

    def keep(self, command, ready, env=None):
        name = Path(str(command[0])).name
        kept = Kept(command, self.scratch / f"{name}.log", env=env)
        self.servers.append(kept)
        wait_ready(kept, ready, name)
        return kept

    def close(self):
        for server in reversed(self.servers):
            server.stop()
        unmount_below(self.scratch)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Strata(Peer):
    name = folder = "strata"

    def __init__(self, scratch, with_builder=False, store_flags=()):
        super().__init__(scratch)
        self.store_flags = store_flags
        try:
            self._start(with_builder)
        except BaseException:
            self.close()
            raise

    def _start(self, with_builder):
        store, admin = free_port(), free_port()
        self.store_address = f"127.0.0.1:{store}"
        self.keep([binary("services/store/strata-store"), "--listen", self.store_address, "--data", self.scratch / "store",
                   "--admin-listen", f"127.0.0.1:{admin}", *self.store_flags], http_ready(admin))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._start_registry()
        if with_builder:
            builder, admin = free_port(), free_port()
            self.builder_address = f"127.0.0.1:{builder}"
            self.keep([binary(BUILDER), "--listen", self.builder_address, "--store", self.store_address, "--data",
                       self.scratch / "builder", "--admin-listen", f"127.0.0.1:{admin}", "--own-host", self.address], http_ready(admin))

    def _start_registry(self):
        admin = free_port()
        self.registry = self.keep([binary("services/registry/strata-registry"), "--listen", self.address, "--store", self.store_address,
                                   "--admin-listen", f"127.0.0.1:{admin}"], http_ready(admin))

    def forget_caches(self):
        """Only the registry caches; the store's truth stays."""
        self.registry.stop()
        self.servers.remove(self.registry)
        self._start_registry()

    def build(self, context, base_registry, log):
        # The image is in the registry once the build is done: there is nothing to push.
        return run_metered([binary(CLIENT), "--builder", self.builder_address, "build", "--progress", "plain", "-t", "bench:1",
                            context], self.servers, log)


class DockerRegistry(Peer):
    name = folder = "docker-registry"

    def __init__(self, scratch):
        super().__init__(scratch)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.config = self.scratch / "config.yml"
        self.config.write_text("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                               f"storage: {{filesystem: {{rootdirectory: {self.scratch / 'data'}}}}}\n"
                               f"http: {{addr: {self.address}}}\n")
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        self.keep(["docker-registry", "serve", self.config], http_ready(self.port, "/v2/"),
                  env={"OTEL_TRACES_EXPORTER": "none"})

    def forget_caches(self):
        for server in self.servers:
            server.stop()
        self.servers.clear()
        self._start()


class BuildKit(Peer):
    """dockerd's own BuildKit. It pushes to a docker-registry whose cost is not counted."""

    name, folder = "dockerd BuildKit", "buildkit"

    def __init__(self, scratch, registry):
        super().__init__(scratch)
        self.registry = registry
        self.run_dir = Path(tempfile.mkdtemp(prefix="sbench-"))  # unix socket paths are short
        self.client = docker_client()
        self.env = {"DOCKER_HOST": f"unix://{self.run_dir}/docker.sock", "DOCKER_CONFIG": str(self.scratch / "client"), "DOCKER_BUILDKIT": "1"}
        config = self.scratch / "daemon.json"
        config.write_text("{}")
        self.bridge = None
        try:
            self.keep(["dockerd", "--config-file", config, "--data-root", self.scratch / "data", "--exec-root", self.run_dir / "exec",
                       "--pidfile", self.run_dir / "docker.pid", "-H", self.env["DOCKER_HOST"], "--iptables=false", "--ip6tables=false",
                       f"--bridge={self._make_bridge()}"], self._answers)
        except BaseException:
            self.close()
            raise

    def _make_bridge(self):
        """A bridge of its own: with "none", dockerd would take docker0 away from the machine's own dockerd."""
        self.bridge = f"sbench{os.getpid()}"
        made = subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], capture_output=True)
        if made.returncode != 0:
            self.bridge = None
        return self.bridge or "none"

    def _answers(self):
        return subprocess.run([self.client, "version"], env={**os.environ, **self.env}, capture_output=True).returncode == 0

    def build(self, context, base_registry, log):
        tag = f"{self.registry.address}/bench:1"
        script = (f"{self.client} build --progress plain --network host --build-arg REGISTRY={base_registry}/ -t {tag} {context} && "
                  f"{self.client} push -q {tag}")
        return run_metered(["sh", "-c", script], self.servers, log, env=self.env)

    def close(self):
        super().close()
        if self.bridge:
            subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True)
        unmount_below(self.run_dir)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def docker_client():
    """A docker that builds with dockerd's BuildKit: the packaged 20.10 does; newer ones need the buildx plugin."""
    for candidate in ("/usr/bin/docker", shutil.which("docker") or ""):
        if not os.access(candidate, os.X_OK):
            continue
        version = re.search(r"version (\d+)\.", subprocess.run([candidate, "--version"], capture_output=True, text=True).stdout)
        if version and int(version[1]) < 23:
            return candidate
        if subprocess.run([candidate, "buildx", "version"], capture_output=True).returncode == 0:
            return candidate
    raise Failed("no docker client here can build with BuildKit; install docker.io (20.10) or docker-buildx")


class Buildah(Peer):
    """No daemon: its cost is the client's."""

    name = folder = "buildah"

    def __init__(self, scratch, registry):
        super().__init__(scratch)
        self.registry = registry
        self.run_dir = Path(tempfile.mkdtemp(prefix="sbench-"))

    def build(self, context, base_registry, log):
        storage = f"--root {self.scratch}/root --runroot {self.run_dir} --storage-driver overlay"
        tag = f"{self.registry.address}/bench:1"
        script = (f"buildah {storage} build --layers --tls-verify=false --isolation chroot --network host "
                  f"--build-arg REGISTRY={base_registry}/ -t {tag} {context} && buildah {storage} push --tls-verify=false {tag}")
        return run_metered(["sh", "-c", script], [], log)

    def close(self):
        super().close()
        unmount_below(self.run_dir)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def programs_missing():
    """What has to be there before anything is measured, as advice; empty: all is."""
    advice = []
    if not (BAZEL_BIN / "services/store/strata-store").exists():
        advice.append("build Strata first: bazel build //services/... //cli:strata")
    commands = ("curl", "wrk", "docker-registry", "dockerd", "buildah", "skopeo")
    missing = [c for c in commands if not shutil.which(c)]
    if missing:
        advice.append(f"{', '.join(missing)}: not installed; run deploy/install-packages run test bench")
    return advice

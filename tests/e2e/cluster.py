"""A whole Strata for tests of building: store, registry, builders, the `strata` program, and what the images it makes hold."""

import gzip
import hashlib
import http.server
import io
import json
import os
import re
import stat
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness import BUILDER, CLI, CommandFailed, Dockerd, Http, ScratchTestCase, Service, Stack, binary, free_port, http_ready, run
from images import BUSYBOX

BUILD_SECONDS = 180
APPLETS = ("sh", "cat", "echo", "ls", "mkdir", "rm", "ln", "chmod", "chown", "sleep", "true", "false", "env", "id", "dd", "wget",
           "test", "[", "stat", "sort", "mkfifo", "mknod", "sha256sum", "seq", "head", "tail", "touch", "mv", "cp", "grep", "tr", "printf", "kill", "find", "sync")


class Cluster(Stack):
    """One store, one registry, one builder that may be killed, restarted or replaced. Nothing of it reaches beyond loopback."""

    def __init__(self, scratch):
        super().__init__(scratch)
        self.home = self.scratch / "home"  # of the clients: no configuration of this machine's user counts
        self.home.mkdir()
        self.last_scrape = 0
        self.builders = []
        self.builder = self.add_builder()

    def add_builder(self):
        """One more builder with an empty disk, not started yet."""
        port, admin = free_port(), free_port()
        name = f"builder{len(self.builders) or ''}"
        data = self.scratch / f"{name}-data"
        data.mkdir()
        service = Service(name, [binary(BUILDER), "--listen", f"127.0.0.1:{port}", "--store", f"127.0.0.1:{self.store_port}",
                                 "--data", data, "--admin-listen", f"127.0.0.1:{admin}", "--own-host", self.address,
                                 "--default-registry", "none"],
                          self.scratch / f"{name}.log", http_ready(admin))
        service.address = f"127.0.0.1:{port}"
        service.data = data
        service.admin_port = admin
        self.builders.append(service)
        return service

    def start(self):
        super().start()
        self.builder.start()

    def replace_builder(self):
        """The builder goes for good; a new one with an empty disk takes over."""
        self.builder.stop()
        self.builder = self.add_builder()
        self.builder.start()

    def services(self):
        return [*super().services(), *self.builders]

    def environment(self):
        return {"STRATA_BUILDER": self.builder.address, "STRATA_REGISTRY": self.address, "HOME": str(self.home)}

    def strata(self, *arguments, check=True, timeout=BUILD_SECONDS, stdin=None, env=None, cwd=None):
        return run([binary(CLI), *arguments], check=check, timeout=timeout, stdin=stdin, env={**self.environment(), **(env or {})}, cwd=cwd)

    def strata_json(self, *arguments, **options):
        return json.loads(self.strata(*arguments, "--output", "json", **options).stdout)

    def start_strata(self, *arguments, errors=subprocess.PIPE):
        """`strata` still running: its progress arrives on `process.stderr`, or in the file `errors`."""
        return subprocess.Popen([binary(CLI), *[str(part) for part in arguments]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=errors, text=True, env={**os.environ, **self.environment()})

    def build(self, context, *arguments, tag="app", check=True, **options):
        return BuildRun(self.strata("build", "--progress", "json", "--output", "json", "-t", tag, *arguments, context, check=False, **options), check)

    def store_metric(self, name):
        """A figure of the store, "blobs" for strata_store_blobs. The store counts once a second at most; older figures are not taken."""
        time.sleep(max(0, self.last_scrape + 1.1 - time.monotonic()))
        self.last_scrape = time.monotonic()
        text = Http(f"127.0.0.1:{self.store.admin_port}").request("GET", "/metrics").content.decode()
        found = re.search(rf"^strata_store_{name}(?:{{}})? (\S+)$", text, re.MULTILINE)
        if found is None:
            raise AssertionError(f"the store counts no {name}:\n{text}")
        return int(float(found.group(1)))


class BuildRun:
    """A build that ended: its result, and its events in order."""

    def __init__(self, done, check):
        self.exit_code = done.returncode
        self.output = done.stdout
        self.errors = done.stderr
        self.events = json_lines(done.stderr)
        # What is no event is said to people.
        self.message = "\n".join(line for line in done.stderr.splitlines() if not line.startswith('{"'))
        if check and self.exit_code != 0:
            raise CommandFailed(f"the build failed with exit code {self.exit_code}\n{self.log()}\n{self.message}")
        self.result = json.loads(self.output) if self.exit_code == 0 else None

    @property
    def digest(self):
        return self.result["digest"]

    def states(self, name):
        """The last state of every step whose name contains `name`."""
        last = {event["step"]: event["state"] for event in self.events if event["type"] == "step" and name in event["name"]}
        if not last:
            raise AssertionError(f"no step is named {name!r}; there are {self.names()}")
        return sorted(set(last.values()))

    def names(self):
        return list(dict.fromkeys(event["name"] for event in self.events if event["type"] == "step"))

    def dockerfile_steps(self):
        """{name: last state} of the steps that are instructions, without FROM."""
        return {event["name"]: event["state"] for event in self.events
                if event["type"] == "step" and event["name"].startswith("[") and "] FROM " not in event["name"]}

    def log(self):
        return "".join(event["text"] for event in self.events if event["type"] == "log")


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"')]


@dataclass(frozen=True)
class Entry:
    """One path of a layer, as tar has it. `content` of a regular file, `link` of a symbolic or hard link."""

    kind: str
    mode: int
    owner: str = "0:0"
    content: bytes = b""
    link: str = ""


KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symlink",
         tarfile.LNKTYPE: "hardlink", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device", tarfile.FIFOTYPE: "fifo"}


def folder(mode=0o755, owner="0:0"):
    return Entry("folder", mode, owner)


def file(content, mode=0o644, owner="0:0"):
    return Entry("file", mode, owner, content.encode() if isinstance(content, str) else content)


def symlink(target, owner="0:0"):
    return Entry("symlink", 0o777, owner, link=target)


def hardlink(target, mode=0o644, owner="0:0"):
    return Entry("hardlink", mode, owner, link=target)


class PulledImage:
    """An image as skopeo pulled it from the registry: every blob compared with its digest on the way."""

    def __init__(self, folder_path):
        self.folder = Path(folder_path)
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))
        self.layers = [self._layer(layer["digest"]) for layer in self.manifest["layers"]]

    @property
    def settings(self):
        return self.config["config"]

    def blob(self, digest):
        content = (self.folder / digest.removeprefix("sha256:")).read_bytes()
        if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
            raise AssertionError(f"{digest}: other bytes were pulled")
        return content

    def _layer(self, digest):
        """{path: Entry}, paths without a slash at either end."""
        entries = {}
        with tarfile.open(fileobj=io.BytesIO(self.blob(digest)), mode="r:*") as tar:
            for member in tar:
                path = member.name.removeprefix("./").strip("/")
                if path in entries:
                    raise AssertionError(f"layer {digest} has {path} twice")
                content = tar.extractfile(member).read() if member.isreg() else b""
                entries[path] = Entry(KINDS[member.type], stat.S_IMODE(member.mode), f"{member.uid}:{member.gid}", content,
                                      member.linkname.removeprefix("./") if member.issym() or member.islnk() else "")
        return entries

    def diff_ids(self):
        """Of the layers as they are; what the config says must equal it."""
        ids = []
        for layer in self.manifest["layers"]:
            content = self.blob(layer["digest"])
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
            ids.append("sha256:" + hashlib.sha256(content).hexdigest())
        return ids

    def tree(self):
        """All layers put together: {path: Entry}, whiteouts applied."""
        merged = {}
        for layer in self.layers:
            for path in layer:
                parent, _, name = path.rpartition("/")
                if name == ".wh..wh..opq":
                    doomed = parent + "/"
                elif name.startswith(".wh."):
                    doomed = f"{parent}/{name.removeprefix('.wh.')}".lstrip("/")
                    merged.pop(doomed, None)
                    doomed += "/"
                else:
                    continue
                for below in [other for other in merged if other.startswith(doomed)]:
                    del merged[below]
            merged.update({path: entry for path, entry in layer.items() if not path.rpartition("/")[2].startswith(".wh.")})
        return merged


def write_tree(root, files):
    """Files below `root`: text, bytes, (text, mode), None for a folder, or a Path for a symbolic link. Returns `root`."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o644
        if isinstance(content, tuple):
            content, mode = content
        if content is None:
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        elif isinstance(content, Path):
            path.unlink(missing_ok=True)
            path.symlink_to(content)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(mode)
    for parent, folders, _ in os.walk(root):
        for name in folders:
            if not os.path.islink(os.path.join(parent, name)):
                os.chmod(os.path.join(parent, name), 0o755)
    return root


def make_busybox_rootfs(path):
    """A tar of a root file system that runs, plain."""
    if not BUSYBOX.exists():
        raise AssertionError(f"{BUSYBOX} is missing; install the package busybox-static")
    files = {"etc/passwd": "root:x:0:0:root:/:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n", "etc/group": "root:x:0:\nteam:x:1001:\n"}
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "etc", "tmp", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        entry = tar.gettarinfo(str(BUSYBOX.resolve()), "bin/busybox")
        entry.uid = entry.gid = entry.mtime = 0
        entry.mode = 0o755
        with open(BUSYBOX, "rb") as program:
            tar.addfile(entry, program)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, "busybox", 0o777
            tar.addfile(entry)
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path


class BuildTestCase(ScratchTestCase):
    """A cluster for the class, with busybox:latest imported; a context folder and a repository for each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = cls.make_cluster()
        cls.launch(cls.cluster)
        cls.rootfs = make_busybox_rootfs(cls.scratch / "busybox.tar")
        cls.import_busybox()

    @classmethod
    def make_cluster(cls):
        return Cluster(cls.scratch)

    @classmethod
    def import_busybox(cls):
        cls.cluster.strata("import", "--change", "ENV PATH=/bin", "--change", 'CMD ["sh"]', cls.rootfs, "busybox:latest")

    @classmethod
    def dockerd(cls):
        """Docker's daemon, started when the first test asks for it."""
        if "_dockerd" not in cls.__dict__:
            cls._dockerd = cls.launch(Dockerd(cls.scratch))
        return cls._dockerd

    def setUp(self):
        self.name = self._testMethodName.removeprefix("test_").replace("_", "-")
        self.folder = self.scratch / "tests" / self._testMethodName
        self.folder.mkdir(parents=True)
        self.address = self.cluster.address

    def context(self, files, name="context"):
        return write_tree(self.folder / name, files)

    def build(self, files, *arguments, **options):
        """Builds `files` (a dict with "Dockerfile", or a folder) under this test's name."""
        context = self.context(files) if isinstance(files, dict) else files
        return self.cluster.build(context, *arguments, **{"tag": self.name, **options})

    def pulled(self, name=None):
        """The image, by skopeo from the registry."""
        out = self.folder / f"pulled-{len(list(self.folder.glob('pulled-*')))}"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.address}/{name or self.name}", f"dir:{out}"])
        return PulledImage(out)

    def built(self, files, *arguments, **options):
        """The image that a build of `files` gives."""
        self.build(files, *arguments, **options)
        return self.pulled()

    def docker_run(self, image, *arguments):
        """What the image prints when docker pulls and runs it."""
        daemon = self.dockerd()
        daemon.docker("pull", image)
        return daemon.docker("run", "--rm", "--network", "none", image, *arguments).stdout


class WebServer:
    """HTTP on loopback; `answer(path)` gives (status, body). Counts what was asked for in `requests`."""

    def __init__(self, answer):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with owner._lock:
                    owner.requests.append(self.path)
                status, body = answer(self.path)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    pass  # whoever asked was killed meanwhile

            def log_message(self, *_):
                pass

        self._lock = threading.Lock()
        self.requests = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

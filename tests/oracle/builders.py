"""The two that are compared: Strata, and dockerd's BuildKit. Each builds a folder and gives back what the image holds."""

import contents
from cluster import Cluster, WebServer  # noqa: F401  (WebServer: for run.py)
from harness import Dockerd, Http, run

DOCKER = "/usr/bin/docker"  # of the package docker.io: its client drives BuildKit without plugins


class BuildFailed(Exception):
    """The build ended with an error; the text has what the client said."""


class Strata:
    name = "strata"

    def __init__(self, scratch):
        self.cluster = Cluster(scratch)

    def start(self):
        self.cluster.start()

    def stop(self):
        self.cluster.stop()

    def load(self, archive):
        self.cluster.strata("load", "-i", archive)

    def build(self, context, dockerfile, tag, arguments, scratch):
        done = self.cluster.strata("build", "--progress", "plain", "-t", tag, "-f", dockerfile, *arguments, context, check=False)
        if done.returncode != 0:
            raise BuildFailed(done.stderr)
        return contents.from_registry(Http(self.cluster.address), tag)

    def log_tail(self):
        return self.cluster.builder.log_tail()


class DebianDockerd(Dockerd):
    def docker(self, *arguments, timeout=120, check=True):
        return run([DOCKER, *arguments], timeout=timeout, check=check,
                   env={"DOCKER_HOST": self.socket, "DOCKER_CONFIG": str(self.scratch / "client"), "DOCKER_BUILDKIT": "1"})


class BuildKit:
    name = "buildkit"

    def __init__(self, scratch):
        self.daemon = DebianDockerd(scratch)

    def start(self):
        self.daemon.start()

    def stop(self):
        self.daemon.stop()

    def load(self, archive):
        self.daemon.docker("load", "-i", archive)

    def build(self, context, dockerfile, tag, arguments, scratch):
        done = self.daemon.docker("build", "--progress", "plain", "--network", "host", "-t", tag, "-f", dockerfile, *arguments, context,
                                  check=False)
        if done.returncode != 0:
            raise BuildFailed(done.stderr)
        archive = scratch / "buildkit.tar"
        self.daemon.docker("save", "-o", archive, tag)
        return contents.from_docker_save(archive)

    def log_tail(self):
        return self.daemon.service.log_tail()

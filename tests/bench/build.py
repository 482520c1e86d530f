"""build: the builder against dockerd's BuildKit and buildah, push to a local registry included.

Cold is a builder that never built, with the base image in the registry; warm is the same build once more. Strata's registry serves what
its builder made without a push; the peers push to a docker-registry, whose own cost is not counted.
"""

import os
import random
import shutil
from pathlib import Path

from images import make_busybox_oci_layout
from peers import Buildah, BuildKit, DockerRegistry, Failed, Strata, check_call

MIB = 1 << 20


def files_context(folder, scale):
    """5,000 files of source-like sizes in 100 folders."""
    count = max(100, int(5000 * scale))
    source = random.Random(5)
    words = [f"word{i}" for i in range(2000)]
    for i in range(count):
        path = folder / "tree" / f"d{i % 100:02}" / f"file{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(source.choices(words, k=source.randrange(20, 900))))
    _dockerfile(folder, "COPY tree /tree\nRUN true\n")
    return f"COPY of {count:,} files, RUN true"


def large_context(folder, scale):
    """Half random, half compressible."""
    size = max(1, int(512 * scale))
    with open(folder / "random.bin", "wb") as out:
        for _ in range(size):
            out.write(os.urandom(MIB))
    source = random.Random(7)
    words = [bytes(f"{source.randrange(1 << 40):x} ", "ascii") for _ in range(4096)]
    with open(folder / "text.bin", "wb") as out:
        for _ in range(size):
            out.write(b"".join(source.choices(words, k=MIB // 8))[:MIB])
    _dockerfile(folder, "COPY random.bin text.bin /data/\n")
    return f"COPY of {size} MiB random, {size} MiB text"


def gcc_context(folder, _scale):
    """A compiler installed and used; the program alone in the result."""
    example = Path(__file__).resolve().parents[2] / "deploy/examples/c-program"
    shutil.copy(example / "primes.c", folder)
    (folder / "Dockerfile").write_text(
        "ARG REGISTRY\nFROM ${REGISTRY}debian:12 AS build\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev\n"
        "COPY primes.c .\nRUN gcc -O2 -static -o /primes primes.c\n"
        "FROM ${REGISTRY}busybox:latest\nCOPY --from=build /primes /bin/primes\n")
    return "gcc on Debian, program into busybox"


def _dockerfile(folder, rest):
    # REGISTRY is empty for Strata, whose own images need no host.
    (folder / "Dockerfile").write_text("ARG REGISTRY\nFROM ${REGISTRY}busybox:latest\n" + rest)


class Bases:
    """Base images as OCI layouts, copied into a registry before anything is timed."""

    def __init__(self, scratch, debian_tar):
        self.images = {"busybox:latest": f"oci:{scratch / 'busybox'}:latest"}
        make_busybox_oci_layout(scratch / "busybox")
        if debian_tar:
            image = scratch / "debian"
            # A layout from a plain tar, by the tool that has to be here anyway.
            storage = ["--root", scratch / "bases", "--runroot", scratch / "bases-run", "--storage-driver", "vfs"]
            container = check_call(["buildah", *storage, "from", "scratch"]).strip()
            check_call(["buildah", *storage, "add", container, debian_tar, "/"])
            check_call(["buildah", *storage, "config", "--cmd", "bash", container])
            check_call(["buildah", *storage, "commit", container, f"oci:{image}:12"])
            shutil.rmtree(scratch / "bases", ignore_errors=True)
            self.images["debian:12"] = f"oci:{image}:12"

    def push_to(self, registry):
        for name, source in self.images.items():
            check_call(["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", source, f"docker://{registry.address}/{name}"])


def _one_round(make_peer, context, base_registry, log, work, table):
    peer = make_peer()
    with peer:
        for state in ("cold", "warm"):
            os.sync()
            meter, code = peer.build(context, base_registry(peer), log)
            if code != 0:
                raise Failed(f"{peer.name}: the build failed with {code}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]))
            table.add(f"{work}, {state}", peer.name, meter, None, "")


def build(scratch, rounds, scale, table, debian_tar=None):
    bases = Bases(scratch, debian_tar)
    table.title("build and push" + ("" if debian_tar else " (gcc on Debian: left out, give --debian-tar)"))
    contexts = [files_context, large_context] + ([gcc_context] if debian_tar else [])
    for make_context in contexts:
        folder = scratch / make_context.__name__
        folder.mkdir()
        work = make_context(folder, scale)
        for _ in range(rounds):
            _round(scratch, folder, bases, work, table)
        shutil.rmtree(folder)


def _round(scratch, folder, bases, work, table):
    def strata():
        peer = Strata(scratch, with_builder=True)
        bases.push_to(peer)
        return peer

    _one_round(strata, folder, lambda peer: "", scratch / "build-strata.log", work, table)
    for kind in (BuildKit, Buildah):
        with DockerRegistry(scratch) as registry:
            bases.push_to(registry)
            _one_round(lambda: kind(scratch, registry), folder, lambda peer: registry.address, scratch / f"build-{kind.folder}.log", work, table)

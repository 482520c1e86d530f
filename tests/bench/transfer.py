"""push, pull and requests: the registry against Debian's docker-registry."""

import collections
import concurrent.futures
import hashlib
import http.client
import json
import multiprocessing
import os
import re
import socket
import subprocess
import urllib.request

from meter import Meter
from peers import DockerRegistry, Failed, Strata

MIB = 1 << 20
REPOSITORY = "bench/blob"
SMALL_CLIENTS = 8
PARALLEL_PUSHES = 8

# What a client in another process has to know of a peer.
Address = collections.namedtuple("Address", "name address")


def peers(scratch):
    return [Strata(scratch), DockerRegistry(scratch)]


class Blob:
    """A file of random bytes; `refresh()` makes it a blob that no registry has seen, without writing all of it again."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        with open(path, "wb") as out:
            left = size
            while left:
                piece = os.urandom(min(left, 16 * MIB))
                out.write(piece)
                left -= len(piece)
        self.refresh()

    def refresh(self):
        with open(self.path, "r+b") as out:
            out.write(os.urandom(min(self.size, 64)))
        with open(self.path, "rb") as content:
            self.digest = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--fail", "--noproxy", "*", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"curl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def open_upload(peer):
    request = urllib.request.Request(f"http://{peer.address}/v2/{REPOSITORY}/blobs/uploads/", method="POST", data=b"")
    with _opener.open(request, timeout=30) as response:
        return _absolute(peer, response.headers["Location"])


def _absolute(peer, location):
    return location if location.startswith("http") else f"http://{peer.address}{location}"


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _with_digest(location, digest):
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def put_monolithic(peer, blob):
    location = open_upload(peer)
    curl("-X", "PUT", "-H", "Content-Type: application/octet-stream", "-T", blob.path, "-o", os.devnull, _with_digest(location, blob.digest))


def put_chunked(peer, blob):
    """As docker pushes: one PATCH without a length, then an empty PUT."""
    location = open_upload(peer)
    headers = curl("-X", "PATCH", "-H", "Content-Type: application/octet-stream", "-H", "Transfer-Encoding: chunked", "-T", blob.path,
                   "-o", os.devnull, "-D", "-", location)
    moved = re.search(r"(?im)^location: *(\S+)", headers)
    curl("-X", "PUT", "-H", "Content-Length: 0", "-o", os.devnull, _with_digest(_absolute(peer, moved[1]) if moved else location, blob.digest))


def push(scratch, rounds, scale, table):
    size = max(MIB, int(1024 * MIB * scale))
    blob = Blob(scratch / "blob", size)
    table.title(f"push of {size // MIB} MiB, random bytes, to a registry on the same disk")
    for _ in range(rounds):
        for work, send in (("PUT, monolithic", put_monolithic), ("PATCH, chunked", put_chunked)):
            for peer in peers(scratch):
                with peer:
                    blob.refresh()
                    os.sync()
                    with Meter(*peer.servers) as meter:
                        send(peer, blob)
                    table.add(work, peer.name, meter, size / MIB, "MiB/s")


def send_small(peer, blobs):
    """Each by POST and PUT, as clients push, over one connection; blobs is a list of (digest, content)."""
    connection = http.client.HTTPConnection(peer.address, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(method, path, body, wanted):
        connection.request(method, path, body=body, headers={"Content-Type": "application/octet-stream"})
        response = connection.getresponse()
        response.read()
        if response.status != wanted:
            raise Failed(f"{peer.name} answered {method} {path} with {response.status}")
        return response.headers

    for digest, content in blobs:
        location = answer("POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"", 202)["Location"]
        answer("PUT", _with_digest(location.removeprefix(f"http://{peer.address}"), digest), content, 201)
    connection.close()


def _small_blobs(count):
    contents = [os.urandom(4096) for _ in range(count)]
    return [("sha256:" + hashlib.sha256(content).hexdigest(), content) for content in contents]


def small(scratch, rounds, scale, table):
    count = max(SMALL_CLIENTS, int(10_000 * scale))
    table.title(f"push of {count} blobs of 4 KiB, by POST and PUT; the Python client shares the cores with the server")
    for _ in range(rounds):
        for clients in (1, SMALL_CLIENTS):
            for peer in peers(scratch):
                with peer, multiprocessing.Pool(clients) as pool:
                    parts = [_small_blobs(count // clients) for _ in range(clients)]
                    with Meter(*peer.servers) as meter:
                        pool.starmap(send_small, [(Address(peer.name, peer.address), part) for part in parts])
                    table.add(f"{clients} at once", peer.name, meter, count // clients * clients, "blobs/s")


def parallel(scratch, rounds, scale, table):
    """Memory is what this is for: see the table's last column."""
    size = max(MIB, int(1024 * MIB * scale))
    blobs = [Blob(scratch / f"blob-{i}", size) for i in range(PARALLEL_PUSHES)]
    table.title(f"{PARALLEL_PUSHES} pushes of {size // MIB} MiB at once, by PUT")
    for _ in range(rounds):
        for peer in peers(scratch):
            with peer:
                for blob in blobs:
                    blob.refresh()
                os.sync()
                with Meter(*peer.servers) as meter, concurrent.futures.ThreadPoolExecutor(PARALLEL_PUSHES) as pool:
                    list(pool.map(lambda blob: put_monolithic(peer, blob), blobs))
                table.add("PUT, monolithic", peer.name, meter, size / MIB * PARALLEL_PUSHES, "MiB/s")


def pull(scratch, rounds, scale, table):
    size = max(MIB, int(1024 * MIB * scale))
    blob = Blob(scratch / "blob", size)
    table.title(f"pull of {size // MIB} MiB by curl; the page cache is warm in both rows")
    both = peers(scratch)
    try:
        for peer in both:
            put_monolithic(peer, blob)
        os.sync()
        for _ in range(rounds):
            for peer in both:
                peer.forget_caches()
            for work in ("GET, registry just started", "GET, again"):
                for peer in both:
                    with Meter(*peer.servers) as meter:
                        curl("-o", os.devnull, f"http://{peer.address}/v2/{REPOSITORY}/blobs/{blob.digest}")
                    table.add(work, peer.name, meter, size / MIB, "MiB/s")
    finally:
        for peer in both:
            peer.close()


def put_manifest(peer, scratch):
    """A small image under bench/blob:1; returns the manifest's path."""
    config = scratch / "config.json"
    config.write_text(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}))
    digest = "sha256:" + hashlib.sha256(config.read_bytes()).hexdigest()
    small = Blob(scratch / "small", 4096)
    put_monolithic(peer, small)
    curl("-X", "PUT", "-H", "Content-Type: application/octet-stream", "-T", config, _with_digest(open_upload(peer), digest))
    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = scratch / "manifest.json"
    manifest.write_text(json.dumps({
        "schemaVersion": 2, "mediaType": media,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.stat().st_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": small.digest, "size": small.size}]}))
    path = f"/v2/{REPOSITORY}/manifests/1"
    curl("-X", "PUT", "-H", f"Content-Type: {media}", "-T", manifest, f"http://{peer.address}{path}")
    return path


def wrk(peer, path, seconds):
    """Requests that were answered 2xx."""
    command = ["wrk", "-t2", "-c64", f"-d{seconds}s", "-H", "Accept: application/vnd.oci.image.manifest.v1+json", f"http://{peer.address}{path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    total = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode != 0 or not total:
        raise Failed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    if "Non-2xx" in done.stdout:
        raise Failed(f"{peer.name} answered {path} with errors:\n{done.stdout}")
    return int(total[1])


def requests(scratch, rounds, scale, table):
    seconds = max(1, round(10 * scale))
    table.title(f"requests a second: wrk -t2 -c64 -d{seconds}s (wrk shares the cores with the server)")
    both = peers(scratch)
    try:
        paths = {peer: put_manifest(peer, scratch) for peer in both}
        for _ in range(rounds):
            for work in ("GET manifest by tag", "GET /v2/"):
                for peer in both:
                    path = paths[peer] if work.startswith("GET manifest") else "/v2/"
                    with Meter(*peer.servers) as meter:
                        answered = wrk(peer, path, seconds)
                    table.add(work, peer.name, meter, answered, "req/s")
    finally:
        for peer in both:
            peer.close()

"""gc: pushes and pulls while the collector is deleting, against the same store when it has nothing to do."""

import hashlib
import http.client
import os
import sys
import time

from meter import Meter
from peers import Failed, Strata
from transfer import MIB, REPOSITORY, Blob, curl, put_monolithic

GARBAGE_BYTES = 256 * 1024  # an extent each
GRACE_SECONDS = 45  # longer than filling and measuring take apart
FLAGS = ["--gc-grace", f"{GRACE_SECONDS}s", "--gc-interval", "1s"]


class Quiet(Strata):
    name = "strata, not collecting"
    folder = "strata-quiet"


def extents(peer):
    return sum(len(files) for _, _, files in os.walk(peer.scratch / "store" / "extents"))


class Garbage:
    """Blobs that are pushed and unlinked, so that the collector takes all of them once the grace period is over."""

    def __init__(self, peer, count):
        self.peer, self.count = peer, count
        self.connection = http.client.HTTPConnection(peer.address, timeout=60)
        self.digests = [self._push(os.urandom(GARBAGE_BYTES)) for _ in range(count)]

    def _call(self, method, path, body=None, want=(201, 202)):
        self.connection.request(method, path, body=body, headers={"Content-Type": "application/octet-stream"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status not in want:
            raise Failed(f"{method} {path}: {response.status} {text[:200]}")
        return response

    def _push(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        location = self._call("POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"").headers["Location"]
        path = location.split(self.peer.address, 1)[-1]
        self._call("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest}", content)
        return digest

    def unlink(self):
        for digest in self.digests:
            self._call("DELETE", f"/v2/{REPOSITORY}/blobs/{digest}")

    def wait_until_collecting(self):
        started = time.monotonic()
        while extents(self.peer) == self.count:
            if time.monotonic() - started > 4 * GRACE_SECONDS:
                raise Failed("the collector removed nothing")
            time.sleep(0.02)


def gc(scratch, rounds, scale, table):
    size = max(MIB, int(512 * MIB * scale))
    count = max(200, int(8000 * scale))
    blob = Blob(scratch / "blob", size)
    table.title(f"push and pull of {size // MIB} MiB while {count} blobs of {GARBAGE_BYTES // 1024} KiB are being collected")
    for _ in range(rounds):
        for kind in (Strata, Quiet):
            with kind(scratch, store_flags=FLAGS) as peer:
                garbage = Garbage(peer, count)
                os.sync()
                if kind is Strata:
                    garbage.unlink()
                    garbage.wait_until_collecting()
                blob.refresh()
                for work, run in (("push", lambda: put_monolithic(peer, blob)),
                                  ("pull", lambda: curl("-o", os.devnull, f"http://{peer.address}/v2/{REPOSITORY}/blobs/{blob.digest}"))):
                    with Meter(*peer.servers) as meter:
                        run()
                    table.add(work, peer.name, meter, size / MIB, "MiB/s")
                if kind is Strata:
                    print(f"  {count + 1 - extents(peer)} of {count} blobs were collected by the end of the measurement", file=sys.stderr)

"""What a registry costs and how it leaves: bounded memory whatever the size of blobs, and a clean end on SIGTERM."""

import hashlib
import http.client
import re
import signal
import threading
import unittest
from pathlib import Path

from harness import Http, ScratchTestCase, Stack, run
from images import random_bytes

MIB = 1 << 20
BLOB_BYTES = 256 * MIB
PARALLEL = 4
MAX_RESIDENT_BYTES = 200 * MIB  # the charter's limit, each process


def peak_resident_bytes(service):
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


class Pieces:
    """`times` repetitions of one piece, as a body that is never whole in memory; its digest."""

    def __init__(self, seed, size):
        self.piece = random_bytes(MIB, seed)
        self.times = size // MIB
        digest = hashlib.sha256()
        for _ in range(self.times):
            digest.update(self.piece)
        self.digest = "sha256:" + digest.hexdigest()
        self.size = self.times * MIB

    def __iter__(self):
        for _ in range(self.times):
            yield self.piece


class LimitsTest(ScratchTestCase):
    def setUp(self):
        self.stack = Stack(self.folder())
        self.addCleanup(self.stack.stop)
        self.stack.start()
        self.started.append(self.stack)  # for the logs of a failure
        self.http = Http(self.stack.address)

    def folder(self):
        folder = self.scratch / self._testMethodName
        folder.mkdir()
        return folder

    def push(self, repository, content, headers):
        location = self.http.request("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
        answer = self.http.request("PUT", f"{location}?digest={content.digest}", iter(content), headers)
        self.assertEqual(answer.status, 201, answer.content)
        return answer.headers["Location"]

    def pull(self, path, digest):
        """Reads a blob piece by piece and says whether it is what it should be."""
        connection = http.client.HTTPConnection(self.stack.address, timeout=120)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            seen = hashlib.sha256()
            while piece := response.read(MIB):
                seen.update(piece)
            return response.status == 200 and "sha256:" + seen.hexdigest() == digest
        finally:
            connection.close()

    def test_memory_does_not_grow_with_blobs(self):
        contents = [Pieces(seed, BLOB_BYTES) for seed in range(PARALLEL)]
        results = []

        def there_and_back(i, content):
            # Half of them with a known length, half of them chunked.
            headers = {"Content-Length": str(content.size)} if i % 2 == 0 else {}
            location = self.push(f"memory/app{i}", content, headers)
            results.append(self.pull(location, content.digest))

        threads = [threading.Thread(target=there_and_back, args=(i, content)) for i, content in enumerate(contents)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [True] * PARALLEL)
        for service in self.stack.services():
            self.assertLess(peak_resident_bytes(service), MAX_RESIDENT_BYTES, service.name)

    def test_end_by_signal_lets_a_pull_finish(self):
        content = Pieces(7, 64 * MIB)
        location = self.push("drain/app", content, {"Content-Length": str(content.size)})
        connection = http.client.HTTPConnection(self.stack.address, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", location)
        response = connection.getresponse()
        seen = hashlib.sha256(response.read(MIB))
        self.stack.registry.process.send_signal(signal.SIGTERM)
        while piece := response.read(MIB):
            seen.update(piece)
        self.assertEqual("sha256:" + seen.hexdigest(), content.digest)
        connection.close()
        self.assertEqual(self.stack.registry.process.wait(30), 0)

    def test_metrics_and_health(self):
        admin = Http(f"127.0.0.1:{self.stack.registry.admin_port}")
        self.assertEqual(admin.request("GET", "/healthz").status, 200)
        self.http.request("GET", "/v2/")
        metrics = admin.request("GET", "/metrics").content.decode()
        self.assertRegex(metrics, r'strata_registry_requests_total\{endpoint="base",status="2xx"\} [1-9]')

        self.stack.store.kill9()
        self.assertEqual(admin.request("GET", "/healthz").status, 200, "alive, although it is not ready")
        self.assertEqual(admin.request("GET", "/readyz").status, 503)

    def test_help_and_bad_flags(self):
        program = self.stack.registry.command[0]
        self.assertIn("--listen", run([program, "--help"]).stdout)
        bad = run([program, "--lisen", "x"], check=False)
        self.assertEqual(bad.returncode, 2)
        self.assertIn("--listen", bad.stderr)

    def test_port_in_use_is_said_so(self):
        bad = run([self.stack.registry.command[0], "--listen", self.stack.address, "--store", "127.0.0.1:1",
                   "--admin-listen", "127.0.0.1:0"], check=False, timeout=30)
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn(self.stack.address, bad.stderr)


if __name__ == "__main__":
    unittest.main()

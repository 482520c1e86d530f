"""kill -9 of the store and of the registry in the middle of a push and of a pull.

After the restart nothing that was acknowledged is lost, nothing half-written is visible, and the next try succeeds.
"""

import hashlib
import socket
import subprocess
import unittest

from harness import Http, ScratchTestCase, Stack, run, tree_bytes, wait_until
from images import digest_of, make_busybox_oci_layout, random_bytes

MIB = 1 << 20
PAYLOAD_BYTES = 384 * MIB  # long enough to be caught in the middle
CAUGHT_BYTES = 48 * MIB


class CrashTest(ScratchTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack = cls.launch(Stack(cls.scratch))
        cls.http = Http(cls.stack.address)
        cls.small = make_busybox_oci_layout(cls.scratch / "small")
        run(["skopeo", "copy", "--dest-tls-verify=false", cls.small.reference, cls._remote("before/all")])

    @classmethod
    def _remote(cls, repository):
        return f"docker://{cls.stack.address}/{repository}:latest"

    def large_image(self, seed):
        folder = self.scratch / f"large-{seed}"
        return make_busybox_oci_layout(folder, payload_bytes=PAYLOAD_BYTES, payload_layers=3, seed=seed)

    def assert_earlier_push_is_whole(self):
        out = self.scratch / f"check-{self._testMethodName}"
        run(["skopeo", "copy", "--src-tls-verify=false", self._remote("before/all"), f"oci:{out}:latest"])
        manifest = self.http.request("GET", "/v2/before/all/manifests/latest")
        self.assertEqual(digest_of(manifest.content), self.small.manifest_digest)

    def assert_pulls(self, repository, image):
        out = self.scratch / f"pulled-{self._testMethodName}"
        run(["skopeo", "copy", "--src-tls-verify=false", self._remote(repository), f"dir:{out}"])
        self.assert_layers_are_whole(out, image)

    def assert_layers_are_whole(self, out, image):
        for digest in image.layer_digests:
            with open(out / digest.removeprefix("sha256:"), "rb") as layer:
                self.assertEqual("sha256:" + hashlib.file_digest(layer, "sha256").hexdigest(), digest)

    def push_killed(self, service, repository, seed):
        image = self.large_image(seed)
        held = tree_bytes(self.stack.data)
        client = subprocess.Popen(["skopeo", "copy", "--dest-tls-verify=false", image.reference, self._remote(repository)],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(client.stdout.close)
        wait_until(lambda: client.poll() is not None or tree_bytes(self.stack.data) > held + CAUGHT_BYTES, 60,
                   "the push to be under way", interval=0.002)
        service.kill9()
        output, _ = client.communicate(timeout=60)
        self.assertNotEqual(client.returncode, 0, f"the push was over before the kill: {output}")
        self.stack.restart(service)

        self.assertEqual(self.http.request("GET", f"/v2/{repository}/manifests/latest").status, 404)
        for layer in image.manifest["layers"]:
            # Either all of it, or nothing.
            response = self.http.request("GET", f"/v2/{repository}/blobs/{layer['digest']}")
            self.assertIn(response.status, (200, 404))
            if response.status == 200:
                self.assertEqual(digest_of(response.content), layer["digest"])
        self.assert_earlier_push_is_whole()
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, self._remote(repository)])
        self.assert_pulls(repository, image)

    def test_store_killed_in_the_middle_of_a_push(self):
        self.push_killed(self.stack.store, "push/store", seed=11)

    def test_registry_killed_in_the_middle_of_a_push(self):
        self.push_killed(self.stack.registry, "push/registry", seed=12)

    def pull_killed(self, service, repository, seed):
        image = self.large_image(seed)
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, self._remote(repository)])
        out = self.scratch / f"cut-{self._testMethodName}"
        out.mkdir()
        client = subprocess.Popen(["skopeo", "copy", "--src-tls-verify=false", self._remote(repository), f"dir:{out}"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(client.stdout.close)
        wait_until(lambda: client.poll() is not None or tree_bytes(out) > CAUGHT_BYTES, 60, "the pull to be under way",
                   interval=0.002)
        service.kill9()
        output, _ = client.communicate(timeout=60)
        if service is self.stack.registry:
            self.assertNotEqual(client.returncode, 0, f"a pull that was cut was taken for whole: {output}")
        elif client.returncode == 0:
            # The registry reads blobs from the store's files: those that were open come to their end without the store.
            self.assert_layers_are_whole(out, image)
        self.stack.restart(service)
        self.assert_earlier_push_is_whole()
        self.assert_pulls(repository, image)

    def test_store_killed_in_the_middle_of_a_pull(self):
        self.pull_killed(self.stack.store, "pull/store", seed=13)

    def test_registry_killed_in_the_middle_of_a_pull(self):
        self.pull_killed(self.stack.registry, "pull/registry", seed=14)

    def acknowledged_chunk_survives(self, service, repository):
        content = random_bytes(8 * MIB, seed=15)
        first, rest = content[: 3 * MIB], content[3 * MIB :]
        location = self.http.request("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
        self.assertEqual(self.http.request("PATCH", location, first, {"Content-Range": f"0-{len(first) - 1}"}).status, 202)
        # A second chunk is half sent when the service dies.
        host, port = self.stack.address.split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(f"PATCH {location} HTTP/1.1\r\nHost: {self.stack.address}\r\nContent-Length: {len(rest)}\r\n"
                         f"Content-Range: {len(first)}-{len(content) - 1}\r\n\r\n".encode() + rest[:MIB])
            service.kill9()
        self.stack.restart(service)

        # Whatever of the half-sent chunk was kept, the acknowledged one is there and the session goes on behind it.
        def session_is_free():
            self.status = self.http.request("GET", location)
            return self.status.status == 204

        wait_until(session_is_free, 30, "the session to answer")
        held = int(self.status.headers["Range"].split("-")[1]) + 1
        self.assertGreaterEqual(held, len(first))
        patched = self.resume(location, content, held)
        self.assertEqual(patched.status, 202, patched.content)
        digest = digest_of(content)
        finished = self.http.request("PUT", f"{location}?digest={digest}")
        self.assertEqual(finished.status, 201, finished.content)
        self.assertEqual(self.http.request("GET", finished.headers["Location"]).content, content)

    def resume(self, location, content, held):
        """One chunk from `held` on; asks again when the lost writer still kept some bytes meanwhile, as clients do."""
        for _ in range(10):
            rest = content[held:]
            patched = self.http.request("PATCH", location, rest, {"Content-Range": f"{held}-{len(content) - 1}"})
            if patched.status not in (409, 416):
                return patched
            status = self.http.request("GET", location)
            held = int(status.headers["Range"].split("-")[1]) + 1
        return patched

    def test_acknowledged_chunk_survives_the_store(self):
        self.acknowledged_chunk_survives(self.stack.store, "chunks/store")

    def test_acknowledged_chunk_survives_the_registry(self):
        self.acknowledged_chunk_survives(self.stack.registry, "chunks/registry")

    def test_store_away_is_said_so(self):
        self.stack.store.kill9()
        try:
            response = self.http.request("GET", "/v2/before/all/manifests/latest")
            self.assertEqual(response.status, 503, response.content)
            self.assertIn("Retry-After", response.headers)
        finally:
            self.stack.restart(self.stack.store)
        self.assert_earlier_push_is_whole()


if __name__ == "__main__":
    unittest.main()

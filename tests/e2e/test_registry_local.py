"""A registry on the store's host: it reads blobs from the store's files and keeps manifests in memory. Nothing of it may ever be stale,
and damaged bytes never reach a client as a whole blob."""

import hashlib
import http.client
import json

from harness import Http, ScratchTestCase, Stack
from images import digest_of, random_bytes

MIB = 1 << 20
INDEX = "application/vnd.oci.image.index.v1+json"


def index(note):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"note": note}}).encode()


class LocalTest(ScratchTestCase):
    def setUp(self):
        folder = self.scratch / self._testMethodName
        folder.mkdir()
        self.stack = self.launch(Stack(folder))
        self.http = Http(self.stack.address)

    def put(self, http, tag, note):
        response = http.request("PUT", f"/v2/app/manifests/{tag}", index(note), {"Content-Type": INDEX})
        self.assertEqual(response.status, 201, response.content)
        return response.headers["Docker-Content-Digest"]

    def digest(self, http, reference):
        response = http.request("GET", f"/v2/app/manifests/{reference}")
        return response.headers["Docker-Content-Digest"] if response.status == 200 else response.status

    def metric(self, service, name):
        text = Http(f"127.0.0.1:{service.admin_port}").request("GET", "/metrics").content.decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    def test_changes_are_visible_at_once_through_every_registry(self):
        other = self.stack.add_registry()
        other.start()
        replica = Http(other.address)
        for round_number in range(50):
            digest = self.put(self.http, "v1", f"round {round_number}")
            for http in (self.http, replica, self.http, replica):
                self.assertEqual(self.digest(http, "v1"), digest)
        self.assertGreater(self.metric(other, "strata_registry_manifest_cache_hits"), 0)
        self.assertEqual(self.http.request("DELETE", f"/v2/app/manifests/{digest}").status, 202)
        for http in (self.http, replica):
            self.assertEqual(self.digest(http, "v1"), 404)
            self.assertEqual(self.digest(http, digest), 404)

    def test_a_killed_store_leaves_no_stale_answer(self):
        first = self.put(self.http, "v1", "first")
        for _ in range(3):
            self.assertEqual(self.digest(self.http, "v1"), first)
        self.stack.store.kill9()
        self.assertEqual(self.digest(self.http, "v1"), 503)
        self.stack.restart(self.stack.store)
        other = self.stack.add_registry()
        other.start()
        # A restarted store counts from the beginning again; the change comes through somebody else.
        for round_number in range(5):
            digest = self.put(Http(other.address), "v1", f"after {round_number}")
            self.assertEqual(self.digest(self.http, "v1"), digest)

    def push_blob(self, content):
        location = self.http.request("POST", "/v2/app/blobs/uploads/").headers["Location"]
        digest = digest_of(content)
        response = self.http.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", content)
        self.assertEqual(response.status, 201, response.content)
        return digest

    def test_damaged_bytes_are_cut_and_never_served_again(self):
        content = random_bytes(8 * MIB, seed=1)
        digest = self.push_blob(content)
        self.assertEqual(self.http.request("GET", f"/v2/app/blobs/{digest}").content, content)
        (extent,) = [path for path in (self.stack.data / "extents").rglob("*") if path.is_file()]
        with open(extent, "r+b") as file:
            file.seek(5 * MIB + 17)
            file.write(bytes([content[5 * MIB + 17] ^ 1]))
        connection = http.client.HTTPConnection(self.stack.address, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", f"/v2/app/blobs/{digest}")
        with self.assertRaises(http.client.IncompleteRead) as cut:
            connection.getresponse().read()
        self.assertEqual(cut.exception.partial, content[: 5 * MIB])
        self.assertNotEqual(self.http.request("GET", f"/v2/app/blobs/{digest}").status, 200)
        self.assertEqual(self.push_blob(content), digest)
        healed = self.http.request("GET", f"/v2/app/blobs/{digest}").content
        self.assertEqual("sha256:" + hashlib.sha256(healed).hexdigest(), digest)

    def test_an_open_blob_is_read_to_its_end_without_the_store(self):
        content = random_bytes(64 * MIB, seed=2)
        digest = self.push_blob(content)
        connection = http.client.HTTPConnection(self.stack.address, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", f"/v2/app/blobs/{digest}")
        response = connection.getresponse()
        start = response.read(MIB)
        self.stack.store.kill9()
        self.assertEqual(start + response.read(), content)

    def test_ranges(self):
        content = random_bytes(3 * MIB + 5, seed=3)
        digest = self.push_blob(content)
        for first, last in ((0, 0), (MIB - 1, MIB), (5, 3 * MIB), (3 * MIB, 3 * MIB + 4), (100, 200_000)):
            response = self.http.request("GET", f"/v2/app/blobs/{digest}", headers={"Range": f"bytes={first}-{last}"})
            self.assertEqual(response.status, 206)
            self.assertEqual(response.content, content[first : last + 1], f"{first}-{last}")
        many = self.http.request("GET", f"/v2/app/blobs/{digest}", headers={"Range": f"bytes=0-9,{MIB - 5}-{2 * MIB + 5}"})
        self.assertEqual(many.status, 206)
        self.assertIn(content[MIB - 5 : 2 * MIB + 6], many.content)

"""Stock clients push to and pull from a Strata registry: skopeo, podman, buildah, docker with a dockerd of its own."""

import json
import tarfile
import unittest

from harness import Dockerd, Http, ScratchTestCase, Stack, run
from images import MANIFEST_TYPE, digest_of, make_busybox_oci_layout

ACCEPT = {"Accept": f"{MANIFEST_TYPE}, */*"}
GREETING = {"/greeting": "hello from strata\n"}


class RegistryTestCase(ScratchTestCase):
    """One store and one registry for the class, and an image to push."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack = cls.launch(Stack(cls.scratch))
        cls.address = cls.stack.address
        cls.http = Http(cls.address)
        cls.image = make_busybox_oci_layout(cls.scratch / "image", files=GREETING)

    def setUp(self):
        # A repository and a folder for each test.
        self.repository = "team/" + self._testMethodName.removeprefix("test_").replace("_", "-")
        self.folder = self.scratch / self._testMethodName
        self.folder.mkdir()

    def remote(self, tag="latest"):
        return f"docker://{self.address}/{self.repository}:{tag}"

    def push_image(self, tag="latest"):
        run(["skopeo", "copy", "--dest-tls-verify=false", self.image.reference, self.remote(tag)])

    def assert_manifest(self, tag, digest):
        response = self.http.request("HEAD", f"/v2/{self.repository}/manifests/{tag}", headers=ACCEPT)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Docker-Content-Digest"], digest)


class SkopeoTest(RegistryTestCase):
    def test_oci_layout_keeps_its_digest(self):
        self.push_image()
        self.assert_manifest("latest", self.image.manifest_digest)
        out = self.folder / "oci"
        run(["skopeo", "copy", "--src-tls-verify=false", self.remote(), f"oci:{out}:latest"])
        index = json.loads((out / "index.json").read_text())
        self.assertEqual(index["manifests"][0]["digest"], self.image.manifest_digest)
        for digest in self.image.layer_digests:
            name = digest.removeprefix("sha256:")
            self.assertEqual((out / "blobs/sha256" / name).read_bytes(),
                             (self.image.folder / "blobs/sha256" / name).read_bytes())

    def test_dir_there_and_back(self):
        self.push_image("first")
        out = self.folder / "dir"
        run(["skopeo", "copy", "--src-tls-verify=false", self.remote("first"), f"dir:{out}"])
        run(["skopeo", "copy", "--dest-tls-verify=false", f"dir:{out}", self.remote("second")])
        self.assert_manifest("second", self.image.manifest_digest)

    def test_docker_archive_there_and_back(self):
        self.push_image("first")
        archive = self.folder / "image.tar"
        run(["skopeo", "copy", "--src-tls-verify=false", self.remote("first"), f"docker-archive:{archive}:app:1"])
        with tarfile.open(archive) as tar:
            self.assertIn("manifest.json", tar.getnames())
        run(["skopeo", "copy", "--dest-tls-verify=false", f"docker-archive:{archive}", self.remote("second")])
        inspected = json.loads(run(["skopeo", "inspect", "--tls-verify=false", self.remote("second")]).stdout)
        self.assertEqual(len(inspected["Layers"]), len(self.image.layer_digests))

    def test_docker_schema_2(self):
        run(["skopeo", "copy", "--dest-tls-verify=false", "--format", "v2s2", self.image.reference, self.remote()])
        raw = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false", self.remote()]).stdout)
        self.assertEqual(raw["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")

    def test_index_of_platforms(self):
        self.push_image("amd64")
        child = {"mediaType": MANIFEST_TYPE, "digest": self.image.manifest_digest,
                 "size": (self.image.folder / "blobs/sha256" / self.image.manifest_digest.removeprefix("sha256:")).stat().st_size,
                 "platform": {"os": "linux", "architecture": "amd64"}}
        index_type = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [child]})
        put = self.http.request("PUT", f"/v2/{self.repository}/manifests/multi", index, {"Content-Type": index_type})
        self.assertEqual(put.status, 201, put.content)
        out = self.folder / "all"
        run(["skopeo", "copy", "--all", "--src-tls-verify=false", self.remote("multi"), f"oci:{out}:multi"])
        copied = json.loads((out / "index.json").read_text())["manifests"][0]
        self.assertEqual(copied["digest"], put.headers["Docker-Content-Digest"])

    def test_lists_tags_and_deletes(self):
        for tag in ("1.0", "1.1", "latest"):
            self.push_image(tag)
        listed = json.loads(run(["skopeo", "list-tags", "--tls-verify=false",
                                 f"docker://{self.address}/{self.repository}"]).stdout)
        self.assertEqual(sorted(listed["Tags"]), ["1.0", "1.1", "latest"])
        # skopeo deletes the manifest that the tag names, and with it every tag on it.
        run(["skopeo", "delete", "--tls-verify=false", self.remote("1.1")])
        self.assertEqual(self.http.request("GET", f"/v2/{self.repository}/manifests/latest").status, 404)

    def test_second_repository_uploads_nothing_again(self):
        self.push_image()
        other = "team/mounted-from-elsewhere"
        run(["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", self.remote(),
             f"docker://{self.address}/{other}:latest"])
        for digest in self.image.layer_digests:
            self.assertEqual(self.http.request("HEAD", f"/v2/{other}/blobs/{digest}").status, 200)

    def test_unknown_image_is_reported_as_such(self):
        # The time is part of it: skopeo tries https first, and must be told at once that this is not it.
        done = run(["skopeo", "inspect", "--tls-verify=false", self.remote("nothing")], check=False, timeout=8)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("manifest unknown", done.stderr)


class PodmanTest(RegistryTestCase):
    def setUp(self):
        super().setUp()
        self.run_folder = self.short_folder()

    def podman(self, *arguments, store="a", **options):
        return run(["podman", "--root", self.folder / store, "--runroot", self.run_folder / store,
                    "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                    "--runtime", "runc", *arguments], **options)

    def test_pull_tag_push_pull(self):
        self.push_image()
        name = f"{self.address}/{self.repository}"
        self.podman("pull", "--tls-verify=false", f"{name}:latest")
        self.podman("tag", f"{name}:latest", f"{name}:podman")
        self.podman("push", "--tls-verify=false", f"{name}:podman")
        self.podman("pull", "--tls-verify=false", f"{name}:podman", store="b")
        shown = json.loads(self.podman("image", "inspect", f"{name}:podman", store="b").stdout)[0]
        self.assertEqual(shown["RootFS"]["Layers"], self._diff_ids())

    def test_runs_what_it_pulled(self):
        self.push_image()
        # podman's own limits are above what a machine without CAP_SYS_RESOURCE may set.
        done = self.podman("run", "--rm", "--tls-verify=false", "--network", "host", "--ulimit", "nofile=1024:1024",
                           "--ulimit", "nproc=1024:1024", f"{self.address}/{self.repository}:latest", "cat", "/greeting")
        self.assertEqual(done.stdout, "hello from strata\n")

    def _diff_ids(self):
        config = self.image.manifest["config"]["digest"].removeprefix("sha256:")
        return json.loads((self.image.folder / "blobs/sha256" / config).read_text())["rootfs"]["diff_ids"]


class BuildahTest(RegistryTestCase):
    def buildah(self, *arguments, **options):
        return run(["buildah", "--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver", "vfs",
                    *arguments], **options)

    def test_from_commit_push(self):
        self.push_image()
        name = f"{self.address}/{self.repository}"
        container = self.buildah("from", "--pull-always", "--tls-verify=false", f"{name}:latest").stdout.strip()
        note = self.folder / "note"
        note.write_text("added by buildah\n")
        self.buildah("copy", container, note, "/note")
        self.buildah("config", "--cmd", "cat /note", container)
        self.buildah("commit", container, f"{name}:built")
        self.buildah("push", "--tls-verify=false", f"{name}:built", f"docker://{name}:built")
        inspected = json.loads(run(["skopeo", "inspect", "--tls-verify=false", self.remote("built")]).stdout)
        self.assertGreater(len(inspected["Layers"]), 0)

        out = self.folder / "out"
        run(["skopeo", "copy", "--src-tls-verify=false", self.remote("built"), f"oci:{out}:built"])
        manifest_digest = json.loads((out / "index.json").read_text())["manifests"][0]["digest"]
        self.assert_manifest("built", manifest_digest)


class DockerTest(RegistryTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dockerd = cls.launch(Dockerd(cls.scratch))

    def name(self, tag):
        return f"{self.address}/{self.repository}:{tag}"

    def test_pull_and_run(self):
        self.push_image()
        self.dockerd.docker("pull", self.name("latest"))
        done = self.dockerd.docker("run", "--rm", "--network", "host", self.name("latest"), "cat", "/greeting")
        self.assertEqual(done.stdout, "hello from strata\n")

    def test_pull_by_digest(self):
        self.push_image()
        self.dockerd.docker("pull", f"{self.address}/{self.repository}@{self.image.manifest_digest}")

    def test_push_remove_pull_run(self):
        self.push_image()
        self.dockerd.docker("pull", self.name("latest"))
        container = self.dockerd.docker("create", self.name("latest"), "cat", "/note").stdout.strip()
        note = self.folder / "note"
        note.write_text("written by docker\n")
        self.dockerd.docker("cp", str(note), f"{container}:/note")
        self.dockerd.docker("commit", container, self.name("docker"))
        self.dockerd.docker("push", self.name("docker"))
        self.dockerd.docker("rm", container)
        self.dockerd.docker("rmi", "--force", self.name("docker"), self.name("latest"))
        done = self.dockerd.docker("run", "--rm", "--network", "none", self.name("docker"), "cat", "/note")
        self.assertEqual(done.stdout, "written by docker\n")

    def test_search(self):
        self.push_image()
        found = self.dockerd.docker("search", "--format", "{{.Name}}", f"{self.address}/{self.repository}").stdout
        self.assertIn(self.repository, found)

    def test_login_is_not_needed(self):
        self.assertEqual(self.http.request("GET", "/v2/").headers["Docker-Distribution-API-Version"], "registry/2.0")


class ReplicaTest(RegistryTestCase):
    """The registry keeps no truth: what one replica took, any other one has."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.stack.add_registry()
        cls.second.start()

    def test_push_is_visible_on_another_replica_at_once(self):
        self.push_image()
        response = Http(self.second.address).request("HEAD", f"/v2/{self.repository}/manifests/latest", headers=ACCEPT)
        self.assertEqual(response.headers["Docker-Content-Digest"], self.image.manifest_digest)

    def test_upload_goes_on_at_another_replica(self):
        other = Http(self.second.address)
        location = self.http.request("POST", f"/v2/{self.repository}/blobs/uploads/").headers["Location"]
        self.assertEqual(self.http.request("PATCH", location, b"begun here, ").status, 202)
        status = other.request("GET", location)
        self.assertEqual((status.status, status.headers["Range"]), (204, "0-11"))
        self.assertEqual(other.request("PATCH", location, b"ended there", {"Content-Range": "12-22"}).status, 202)
        digest = digest_of(b"begun here, ended there")
        self.assertEqual(other.request("PUT", f"{location}?digest={digest}").status, 201)
        self.assertEqual(self.http.request("GET", f"/v2/{self.repository}/blobs/{digest}").content,
                         b"begun here, ended there")


if __name__ == "__main__":
    unittest.main()

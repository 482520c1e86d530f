"""Stock clients pull through a mirror of Debian's docker-registry. Configurations are the snippets of docs/operations/mirrors.md."""

import json
import re
import subprocess
import unittest
from pathlib import Path

from harness import Dockerd, Http, REGISTRY, STORE, ScratchTestCase, Service, binary, free_port, http_ready, run
from images import MANIFEST_TYPE, make_busybox_oci_layout

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/operations/mirrors.md"
ACCEPT = {"Accept": f"{MANIFEST_TYPE}, */*"}


def snippets(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


class MirrorTestCase(ScratchTestCase):
    """An upstream with library/busybox:1, a store, and a registry that mirrors the upstream by the snippet `mirrors`."""

    mirrors = 0  # which of the document's

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        upstream_port, store_port, admin = free_port(), free_port(), free_port()
        cls.upstream_address = f"127.0.0.1:{upstream_port}"
        config = cls.scratch / "upstream.yml"
        config.write_text(json.dumps({"version": "0.1", "http": {"addr": cls.upstream_address},
                                      "storage": {"filesystem": {"rootdirectory": str(cls.scratch / "upstream")}}}))
        cls.upstream = cls.launch(Service("upstream", ["docker-registry", "serve", config], cls.scratch / "upstream.log",
                                          http_ready(upstream_port, "/v2/")))
        cls.launch(Service("store", [binary(STORE), "--listen", f"127.0.0.1:{store_port}", "--data", cls.scratch / "data",
                                     "--admin-listen", f"127.0.0.1:{admin}"], cls.scratch / "store.log", http_ready(admin)))
        document = json.loads(snippets("json")[cls.mirrors])
        for mirror in document["mirrors"]:
            mirror.update({"upstream": f"http://{cls.upstream_address}", "library": True, "allow_private": True, "revalidate_after": "0s"})
        mirrors = cls.scratch / "mirrors.json"
        mirrors.write_text(json.dumps(document))
        port, registry_admin = free_port(), free_port()
        cls.registry = cls.launch(Service(
            "registry", [binary(REGISTRY), "--listen", f"127.0.0.1:{port}", "--store", f"127.0.0.1:{store_port}",
                         "--admin-listen", f"127.0.0.1:{registry_admin}", "--mirrors", mirrors, "--mirror-spool", cls.scratch],
            cls.scratch / "registry.log", http_ready(registry_admin)))
        cls.address = f"127.0.0.1:{port}"
        cls.http, cls.admin = Http(cls.address), Http(f"127.0.0.1:{registry_admin}")
        cls.image = make_busybox_oci_layout(cls.scratch / "image", files={"/greeting": "hello from upstream\n"})
        run(["skopeo", "copy", "--dest-tls-verify=false", cls.image.reference, f"docker://{cls.upstream_address}/library/busybox:1"])

    @classmethod
    def ours(cls, text):
        """A snippet, with this test's registry in place of the document's."""
        return text.replace("registry.example:5000", cls.address)

    def blob_requests(self):
        """Blobs that the upstream was asked for, by its log."""
        return re.findall(r'"GET /v2/library/busybox/blobs/(sha256:[0-9a-f]+)', (self.scratch / "upstream.log").read_text())

    def outcomes(self):
        text = self.admin.request("GET", "/metrics").content.decode()
        return {outcome: int(count) for outcome, count in
                re.findall(r'strata_registry_mirror_requests_total\{outcome="(\w+)"[^}]*\} (\d+)', text)
                + re.findall(r'strata_registry_mirror_requests_total\{[^}]*outcome="(\w+)"\} (\d+)', text)}


class PrefixTest(MirrorTestCase):
    def test_skopeo_podman_and_containerd_and_an_upstream_that_goes_away(self):
        conf = self.scratch / "registries.conf"
        conf.write_text(self.ours(snippets("toml")[1]))
        out = self.scratch / "skopeo"
        run(["skopeo", "--registries-conf", conf, "copy", "docker://docker.io/library/busybox:1", f"oci:{out}:1"])
        index = json.loads((out / "index.json").read_text())
        self.assertEqual(index["manifests"][0]["digest"], self.image.manifest_digest)
        root = ["--root", str(self.scratch / "podman"), "--runroot", str(self.short_folder()), "--storage-driver", "vfs"]
        run(["podman", *root, "pull", "docker.io/library/busybox:1"],
            env={"CONTAINERS_REGISTRIES_CONF": str(conf)})
        self.pull_with_containerd()
        # Three clients, and each blob once.
        self.assertEqual(sorted(self.blob_requests()), sorted(set(self.blob_requests())))
        refused = run(["skopeo", "copy", "--dest-tls-verify=false", self.image.reference, f"docker://{self.address}/docker-hub/library/busybox:2"],
                      check=False)
        self.assertIn("denied", refused.stderr.lower())
        self.assertEqual(self.http.get_json("/v2/_catalog"), {"repositories": []})

        self.upstream.stop()
        stale = self.http.request("GET", "/v2/docker-hub/busybox/manifests/1", headers=ACCEPT)
        self.assertEqual(stale.status, 200)
        self.assertRegex(stale.headers["Warning"], "^11[01] ")
        run(["skopeo", "--registries-conf", conf, "copy", "docker://docker.io/library/busybox:1", f"oci:{self.scratch / 'again'}:1"])
        self.assertEqual(self.http.request("GET", "/v2/docker-hub/busybox/manifests/2", headers=ACCEPT).status, 503)
        self.assertIn("an old manifest is served", (self.scratch / "registry.log").read_text())
        self.assertGreater(self.outcomes()["stale"], 0)

    def pull_with_containerd(self):
        """By the containerd that dockerd brings along."""
        dockerd = self.launch(Dockerd(self.scratch))
        hosts = self.scratch / "certs.d/docker.io"
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(self.ours(snippets("toml")[0]))
        ctr = ["ctr", "--address", dockerd.exec_root / "containerd/containerd.sock"]
        run([*ctr, "images", "pull", "--hosts-dir", hosts.parent, "docker.io/library/busybox:1"])
        listed = run([*ctr, "images", "ls"]).stdout
        self.assertIn(self.image.manifest_digest, listed)


class EmptyPrefixTest(MirrorTestCase):
    mirrors = 1

    def test_docker(self):
        dockerd = Dockerd(self.scratch)
        (dockerd.scratch / "daemon.json").write_text(self.ours(snippets("json")[2]))
        self.launch(dockerd)
        dockerd.docker("pull", "busybox:1")
        self.assertIn("hello from upstream", dockerd.docker("run", "--rm", "--network", "none", "busybox:1", "cat", "/greeting").stdout)
        self.assertGreater(len(self.blob_requests()), 0)
        # Repositories of our own are pushed and pulled as ever.
        dockerd.docker("tag", "busybox:1", f"{self.address}/team/app:1")
        dockerd.docker("push", f"{self.address}/team/app:1")
        dockerd.docker("rmi", f"{self.address}/team/app:1")
        dockerd.docker("pull", f"{self.address}/team/app:1")
        self.assertEqual(self.http.get_json("/v2/_catalog"), {"repositories": ["team/app"]})


class MirrorFlagsTest(unittest.TestCase):
    def test_files_that_make_no_sense_are_refused(self):
        for text, words in [("{", "mirrors"), ('{"mirrors": [{"prefix": "a"}]}', "upstream"),
                            ('{"mirrors": [{"prefix": "a", "upstream": "https://r.example", "x": 1}]}', "no field of a mirror")]:
            with self.subTest(text=text):
                done = subprocess.run([binary(REGISTRY), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--mirrors", "/dev/stdin"],
                                      input=text, capture_output=True, text=True, timeout=30)
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Stock clients over TLS: a CA of their own, client certificates, and a certificate that changes while the registry serves."""

import re
import socket
import ssl
import unittest
from pathlib import Path

from harness import Dockerd, Http, REGISTRY, STORE, ScratchTestCase, Service, binary, free_port, http_ready, run, wait_until
from images import make_busybox_oci_layout


DOCUMENT = Path(__file__).resolve().parents[2] / "docs/operations/tls.md"


def make_certificates(folder):
    """ca, server and client certificates, by the commands of the operator's manual."""
    folder.mkdir(exist_ok=True)
    for snippet in re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        run(["bash", "-euc", snippet], cwd=folder)


class TlsTestCase(ScratchTestCase):
    client_auth = "none"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.certificates = cls.scratch / "tls"
        make_certificates(folder)
        store_port, admin, data = free_port(), free_port(), cls.scratch / "data"
        cls.launch(Service("store", [binary(STORE), "--listen", f"127.0.0.1:{store_port}", "--data", data, "--admin-listen", f"127.0.0.1:{admin}"],
                           cls.scratch / "store.log", http_ready(admin)))
        cls.port, registry_admin = free_port(), free_port()
        extra = ["--tls-client-auth", cls.client_auth, "--tls-client-ca", folder / "ca.crt"] if cls.client_auth != "none" else []
        cls.registry = cls.launch(Service(
            "registry", [binary(REGISTRY), "--listen", "none", "--tls-listen", f"127.0.0.1:{cls.port}", "--tls-cert", folder / "server.crt",
                         "--tls-key", folder / "server.key", "--store", f"127.0.0.1:{store_port}", "--admin-listen", f"127.0.0.1:{registry_admin}",
                         *extra],
            cls.scratch / "registry.log", http_ready(registry_admin)))
        cls.admin = Http(f"127.0.0.1:{registry_admin}")
        cls.address = f"127.0.0.1:{cls.port}"
        cls.image = make_busybox_oci_layout(cls.scratch / "image", files={"/greeting": "hello over tls\n"})
        # What clients read: the CA, and for mutual TLS who they are.
        cls.trust = cls.scratch / "trust"
        cls.trust.mkdir()
        (cls.trust / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())

    def served_serial(self):
        context = ssl.create_default_context(cafile=str(self.trust / "ca.crt"))
        with context.wrap_socket(socket.create_connection(("127.0.0.1", self.port)), server_hostname="127.0.0.1") as connection:
            return connection.getpeercert()["serialNumber"]


class TlsClientsTest(TlsTestCase):
    def test_skopeo_podman_and_docker(self):
        name = f"{self.address}/team/app"
        run(["skopeo", "copy", "--dest-cert-dir", self.trust, self.image.reference, f"docker://{name}:1"])
        out = self.scratch / "out"
        run(["skopeo", "copy", "--src-cert-dir", self.trust, f"docker://{name}:1", f"oci:{out}:1"])
        refused = run(["skopeo", "inspect", f"docker://{name}:1"], check=False)
        self.assertIn("certificate", refused.stderr)
        root = ["--root", str(self.scratch / "podman"), "--runroot", str(self.scratch / "podman-run"), "--storage-driver", "vfs"]
        run(["podman", *root, "pull", "--cert-dir", self.trust, f"{name}:1"])
        # To docker all of 127.0.0.0/8 is "insecure": it takes TLS without asking who signed.
        dockerd = self.launch(Dockerd(self.scratch))
        dockerd.docker("pull", f"{name}:1")
        dockerd.docker("tag", f"{name}:1", f"{name}:2")
        dockerd.docker("push", f"{name}:2")
        run(["skopeo", "inspect", "--cert-dir", self.trust, f"docker://{name}:2"])

    def test_plain_http_is_told_to_use_https(self):
        response = Http(self.address).request("GET", "/v2/")
        self.assertEqual(response.status, 400)
        self.assertIn(b"https://", response.content)

    def test_a_new_certificate_needs_no_restart(self):
        def put(source, name):
            (self.certificates / "new").write_bytes((source / name).read_bytes())
            (self.certificates / "new").rename(self.certificates / name)

        renewed, first = self.scratch / "renewed", self.served_serial()
        renewed.mkdir()
        for name in ("ca.crt", "ca.key"):
            (renewed / name).write_bytes((self.certificates / name).read_bytes())
        server_only = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0].split("\n", 1)[1]
        run(["bash", "-euc", server_only], cwd=renewed)
        for name in ("server.crt", "server.key"):
            put(renewed, name)
        wait_until(lambda: self.served_serial() != first, 10, "the new certificate to be served")
        second = self.served_serial()
        (self.certificates / "server.crt").write_text("broken\n")
        log = self.scratch / "registry.log"
        wait_until(lambda: self.served_serial() == second and "cannot be used" in log.read_text(), 10, "the broken file to be noticed")
        put(renewed, "server.crt")
        wait_until(lambda: self.served_serial() == second and log.read_text().count("are in use") >= 2, 10, "the mended certificate to be served")
        self.assertIn(b"strata_registry_tls_certificate_end_seconds", self.admin.request("GET", "/metrics").content)


class MutualTlsTest(TlsTestCase):
    client_auth = "required"

    def test_only_clients_with_a_certificate_get_in(self):
        name = f"docker://{self.address}/team/app:1"
        refused = run(["skopeo", "copy", "--dest-cert-dir", self.trust, self.image.reference, name], check=False)
        self.assertNotEqual(refused.returncode, 0)
        known = self.scratch / "known"
        known.mkdir()
        (known / "ca.crt").write_bytes((self.certificates / "ca.crt").read_bytes())
        (known / "client.cert").write_bytes((self.certificates / "client.crt").read_bytes())
        (known / "client.key").write_bytes((self.certificates / "client.key").read_bytes())
        run(["skopeo", "copy", "--dest-cert-dir", known, self.image.reference, name])
        run(["skopeo", "inspect", "--cert-dir", known, name])


class TlsFlagsTest(unittest.TestCase):
    def test_flags_that_do_not_fit_are_refused(self):
        for flags, words in [(["--tls-listen", "127.0.0.1:0"], "needs --tls-cert"),
                             (["--tls-cert", "x"], "--tls-listen"),
                             (["--listen", "none"], "at least one address"),
                             (["--tls-client-ca", "x"], "--tls-client-auth"),
                             (["--tls-client-auth", "required"], "needs --tls-client-ca")]:
            with self.subTest(flags=flags):
                done = run([binary(REGISTRY), *flags], check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()

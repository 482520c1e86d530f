"""Logging in with stock clients, and docs/operations/registry.md as it is written."""

import base64
import json
import os
import re
import shlex
import subprocess
import time
import unittest

from harness import REGISTRY, REPOSITORY, CommandFailed, Dockerd, Http, ScratchTestCase, Service, Stack, binary, free_port, http_ready, run, wait_until
from images import make_busybox_oci_layout

PAGE = REPOSITORY / "docs/operations/registry.md"


def blocks(page):
    """The sh blocks of a page, in order."""
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


class AuthTestCase(ScratchTestCase):
    """A store, a registry with the page's users and policy, and an image below public/ and team/."""

    mode = "token"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.blocks = blocks(PAGE)
        cls.stack = Stack(cls.scratch)
        cls.folder = cls.scratch / "auth"
        cls.folder.mkdir()
        programs = cls.scratch / "bin"
        programs.mkdir()
        os.symlink(binary(REGISTRY), programs / "strata-registry")
        cls.path = f"{programs}:{os.environ['PATH']}"
        for block in cls.blocks:
            if "--auth" not in block and "docker login" not in block:
                cls.shell(block)
        cls.launch(cls.stack)
        cls.image = make_busybox_oci_layout(cls.scratch / "image", files={"/greeting": "hello\n"})
        for name in ("public/app", "team/app", "secret/app"):
            run(["skopeo", "copy", "--dest-tls-verify=false", cls.image.reference, f"docker://{cls.stack.address}/{name}:1.0"])
        cls.registry = cls.start_page_registry(next(block for block in cls.blocks if f"--auth {cls.mode}" in block))
        cls.address = cls.registry.address
        cls.http = Http(cls.address)

    @classmethod
    def shell(cls, text, **variables):
        return run(["sh", "-ec", text], cwd=cls.folder, env={"PATH": cls.path, **variables})

    @classmethod
    def start_page_registry(cls, block):
        """The block's last line is the registry, everything before it is done first."""
        *before, command = block.strip().split("\n")
        cls.shell("\n".join(before))
        port, admin = free_port(), free_port()
        flags = f"--listen 127.0.0.1:{port} --admin-listen 127.0.0.1:{admin} --store 127.0.0.1:{cls.stack.store_port}"
        service = Service("registry-auth", ["sh", "-c", f"cd {shlex.quote(str(cls.folder))} && exec {command}"],
                          cls.scratch / f"registry-{port}.log", http_ready(admin), env={"PATH": cls.path, "FLAGS": flags})
        service.address = f"127.0.0.1:{port}"
        cls.launch(service)
        return service

    def auth_file(self, tool):
        return self.scratch / f"{self._testMethodName}-{tool}.json"


class TokenTest(AuthTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dockerd = cls.launch(Dockerd(cls.scratch))

    def docker_login(self):
        block = next(block for block in self.blocks if "docker login --username alice" in block)
        self.shell(block, REGISTRY=self.address, DOCKER_HOST=self.dockerd.socket, DOCKER_CONFIG=str(self.dockerd.scratch / "client"))
        self.addCleanup(self.dockerd.docker, "logout", self.address)

    def test_docker_pulls_public_images_without_login(self):
        self.dockerd.docker("pull", f"{self.address}/public/app:1.0")
        refused = self.dockerd.docker("pull", f"{self.address}/team/app:1.0", check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_docker_login_pull_push_logout(self):
        self.docker_login()
        stored = json.loads((self.dockerd.scratch / "client/config.json").read_text())
        self.assertIn(self.address, stored["auths"])
        self.dockerd.docker("pull", f"{self.address}/team/app:1.0")
        self.dockerd.docker("tag", f"{self.address}/team/app:1.0", f"{self.address}/team/app:docker")
        self.dockerd.docker("push", f"{self.address}/team/app:docker")
        self.dockerd.docker("tag", f"{self.address}/team/app:1.0", f"{self.address}/public/app:docker")
        refused = self.dockerd.docker("push", f"{self.address}/public/app:docker", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr + refused.stdout, "denied|unauthorized")
        self.dockerd.docker("logout", self.address)
        self.assertNotEqual(self.dockerd.docker("push", f"{self.address}/team/app:docker", check=False).returncode, 0)

    def test_docker_login_with_a_wrong_password(self):
        refused = self.dockerd.docker("login", "--username", "alice", "--password", "nonsense", self.address, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("unauthorized", refused.stderr)

    def test_immutable_tag_by_docker(self):
        self.docker_login()
        name = f"{self.address}/team/frozen"
        self.dockerd.docker("pull", f"{self.address}/team/app:1.0")
        self.dockerd.docker("tag", f"{self.address}/team/app:1.0", f"{name}:v1")
        self.dockerd.docker("push", f"{name}:v1")
        self.dockerd.docker("push", f"{name}:v1")  # the same again
        container = self.dockerd.docker("create", f"{name}:v1", "true").stdout.strip()
        self.dockerd.docker("commit", "--message", "changed", container, f"{name}:v1")
        self.dockerd.docker("rm", container)
        refused = self.dockerd.docker("push", f"{name}:v1", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("denied", refused.stderr + refused.stdout)


class StockClients:
    """The same for both modes."""

    def test_skopeo(self):
        file = self.auth_file("skopeo")
        run(["skopeo", "login", "--tls-verify=false", "--authfile", file, "--username", "alice", "--password", "wonderland", self.address])
        run(["skopeo", "copy", "--authfile", file, "--dest-tls-verify=false", self.image.reference, f"docker://{self.address}/team/skopeo:1"])
        run(["skopeo", "inspect", "--authfile", file, "--tls-verify=false", f"docker://{self.address}/team/skopeo:1"])
        with self.assertRaisesRegex(CommandFailed, "denied|403"):
            run(["skopeo", "copy", "--authfile", file, "--dest-tls-verify=false", self.image.reference, f"docker://{self.address}/secret/app:1"])
        with self.assertRaises(CommandFailed):
            run(["skopeo", "delete", "--authfile", file, "--tls-verify=false", f"docker://{self.address}/team/skopeo:1"])
        run(["skopeo", "delete", "--creds", "bob:builder", "--tls-verify=false", f"docker://{self.address}/team/skopeo:1"])
        run(["skopeo", "logout", "--authfile", file, self.address])
        with self.assertRaises(CommandFailed):
            run(["skopeo", "inspect", "--authfile", file, "--tls-verify=false", f"docker://{self.address}/team/app:1.0"])

    def test_podman(self):
        run_folder = self.short_folder()
        file = self.auth_file("podman")

        def podman(*arguments, **options):
            return run(["podman", "--root", self.scratch / f"{self.mode}-podman", "--runroot", run_folder, "--storage-driver", "vfs",
                        "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc", *arguments], **options)
        podman("login", "--tls-verify=false", "--authfile", file, "--username", "alice", "--password", "wonderland", self.address)
        podman("pull", "--tls-verify=false", "--authfile", file, f"{self.address}/team/app:1.0")
        podman("tag", f"{self.address}/team/app:1.0", f"{self.address}/team/app:podman")
        podman("push", "--tls-verify=false", "--authfile", file, f"{self.address}/team/app:podman")
        wrong = podman("login", "--tls-verify=false", "--authfile", file, "--username", "bob", "--password", "nonsense", self.address, check=False)
        self.assertNotEqual(wrong.returncode, 0)

    def test_buildah(self):
        base = ["buildah", "--root", self.scratch / f"{self.mode}-buildah", "--runroot", self.scratch / f"{self.mode}-run", "--storage-driver", "vfs"]
        run([*base, "pull", "--tls-verify=false", "--creds", "alice:wonderland", f"{self.address}/team/app:1.0"])
        run([*base, "push", "--tls-verify=false", "--creds", "alice:wonderland", f"{self.address}/team/app:1.0",
             f"docker://{self.address}/team/app:buildah"])


class TokenClientsTest(StockClients, AuthTestCase):
    def test_skopeo_pulls_public_images_without_login(self):
        run(["skopeo", "inspect", "--no-creds", "--tls-verify=false", f"docker://{self.address}/public/app:1.0"])

    def test_users_and_policy_change_without_restart(self):
        wanted = {"Authorization": "Basic " + base64.b64encode(b"dora:explorer").decode()}
        self.assertEqual(self.http.request("GET", "/v2/", headers=wanted).status, 401)
        line = run([binary(REGISTRY), "htpasswd", "dora"], stdin="explorer\n").stdout
        users = (self.folder / "users").read_text()
        self.addCleanup((self.folder / "users").write_text, users)
        (self.folder / "users").write_text(users + line)
        wait_until(lambda: self.http.request("GET", "/v2/", headers=wanted).status == 200, 10, "the new user to be known", interval=0.5)


class BasicClientsTest(StockClients, AuthTestCase):
    mode = "basic"

    def test_challenge(self):
        answer = self.http.request("GET", "/v2/")
        self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, 'Basic realm="strata-registry"'))


class IssuerTest(AuthTestCase):
    """The page's issuers, with a key of openssl in the place of the cluster's."""

    @classmethod
    def start_page_registry(cls, block):
        key = cls.folder / "cluster.pem"
        run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key])
        modulus = run(["openssl", "rsa", "-in", key, "-noout", "-modulus"]).stdout.strip().removeprefix("Modulus=")
        jwks = {"keys": [{"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "e": "AQAB", "n": encode(bytes.fromhex(modulus))}]}
        (cls.folder / "cluster-jwks.json").write_text(json.dumps(jwks))
        cls.shell(next(block for block in cls.blocks if "keygen" in block).split("\n")[0])
        (cls.folder / "policy").write_text((cls.folder / "policy").read_text() + "allow identity:cluster-ci pull,push team/**\n")
        return super().start_page_registry(next(block for block in cls.blocks if "--trusted-issuers" in block))

    def token(self, namespace="ci", audience="registry.example.com"):
        claims = {"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:ci:runner", "aud": [audience],
                  "iat": int(time.time()), "exp": int(time.time()) + 600,
                  "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": "runner"}}}
        signed = encode(json.dumps({"alg": "RS256", "kid": "k1"}).encode()) + "." + encode(json.dumps(claims).encode())
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.folder / "cluster.pem"], input=signed.encode(), capture_output=True, check=True)
        return f"{signed}.{encode(done.stdout)}"

    def test_service_account_pushes(self):
        run(["skopeo", "copy", "--dest-creds", f"oidc:{self.token()}", "--dest-tls-verify=false", self.image.reference,
             f"docker://{self.address}/team/cluster:1"])
        answer = self.http.request("GET", "/v2/team/cluster/tags/list", headers={"Authorization": f"Bearer {self.token()}"})
        self.assertEqual(json.loads(answer.content)["tags"], ["1"])

    def test_docker_logs_in_with_the_token(self):
        daemon = self.launch(Dockerd(self.scratch))
        block = next(block for block in self.blocks if "--username oidc" in block)
        self.shell(block, REGISTRY=self.address, TOKEN=self.token(), DOCKER_HOST=daemon.socket, DOCKER_CONFIG=str(daemon.scratch / "client"))
        daemon.docker("pull", f"{self.address}/team/app:1.0")

    def test_others_do_not(self):
        for token, status in ((self.token(namespace="default"), 403), (self.token(audience="elsewhere"), 401), (self.token()[:-8], 401)):
            answer = self.http.request("GET", "/v2/team/app/tags/list", headers={"Authorization": f"Bearer {token}"})
            self.assertEqual(answer.status, status, answer.content)


def encode(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


if __name__ == "__main__":
    unittest.main()

"""Real Dockerfiles over Debian: a C program in two stages, a Node application, and bases that other tools pushed.

These need Debian's archive and the npm registry, reached as this machine reaches them, and Docker.
"""

import hashlib
import os
import shutil
import unittest
from pathlib import Path

from cluster import BuildTestCase, file
from harness import REPOSITORY, run, tree_bytes
from images import make_busybox_oci_layout

EXAMPLES = REPOSITORY / "deploy" / "examples"
MAKE_ROOTFS = REPOSITORY / "deploy" / "make-debian-rootfs"
# Making it takes a minute; the file outlives the run, but not a change of how it is made.
DEBIAN_ROOTFS = (
    Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    / "strata-tests"
    / f"debian-12-{hashlib.sha256(MAKE_ROOTFS.read_bytes()).hexdigest()[:8]}.tar"
)
INSTALL_SECONDS = 900


def debian_rootfs():
    if not DEBIAN_ROOTFS.exists():
        run([MAKE_ROOTFS, DEBIAN_ROOTFS], timeout=INSTALL_SECONDS)
    return DEBIAN_ROOTFS


class DebianTestCase(BuildTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.strata("import", "--change", 'CMD ["bash"]', debian_rootfs(), "debian:12", timeout=300)


class UnprivilegedUserTest(DebianTestCase):
    def test_a_user_works_in_a_debian_image(self):
        name = f"{self.address}/team/user:1"
        self.build(
            {
                "Dockerfile": "FROM debian:12\nRUN useradd -m -s /bin/bash app\nUSER app\nWORKDIR /home/app/work\n"
                "RUN id -un > who && echo $HOME >> who && ls / > /dev/null\nCMD cat who && id -un"
            },
            tag=name,
        )
        self.assertEqual(self.docker_run(name), "app\n/home/app\napp\n")


class CProgramTest(DebianTestCase):
    def test_two_stages_end_in_a_container_that_runs(self):
        name = f"{self.address}/team/primes:1"
        run_of_it = self.build(EXAMPLES / "c-program", tag=name, timeout=INSTALL_SECONDS)
        self.assertIn("Setting up gcc", run_of_it.log())
        self.assertEqual(self.docker_run(name), "25 primes below 100\n")
        self.assertEqual(self.docker_run(name, "1000"), "168 primes below 1000\n")
        image = self.pulled("team/primes:1")
        self.assertEqual((image.settings["Entrypoint"], image.settings["Cmd"]), (["primes"], ["100"]))
        # The compiler stayed behind: busybox and one program.
        self.assertEqual(list(image.layers[-1]), ["bin", "bin/primes"])
        self.assertEqual(len(image.layers), 2)

        # An edit of the program does not install the compiler again.
        context = shutil.copytree(EXAMPLES / "c-program", self.folder / "edited")
        source = context / "primes.c"
        source.write_text(source.read_text().replace("primes below", "prime numbers below"))
        edited = self.build(context, tag=name)
        self.assertEqual(edited.states("apt-get install"), ["cached"])
        self.assertEqual(self.docker_run(name), "25 prime numbers below 100\n")


class NodeApplicationTest(DebianTestCase):
    def node_app(self):
        context = shutil.copytree(EXAMPLES / "node-app", self.folder / "app")
        # Whatever this machine trusts on its way to the npm registry, the build has to trust as well.
        for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
            shutil.copy(certificate, context / "certs")
        bundle = os.environ.get("NODE_EXTRA_CA_CERTS")
        if bundle and Path(bundle).exists():
            shutil.copy(bundle, context / "certs" / "machine.crt")
        return context

    def test_a_source_edit_reuses_the_installed_modules(self):
        context = self.node_app()
        name = f"{self.address}/team/node:1"
        self.build(context, tag=name, timeout=INSTALL_SECONDS)
        self.assertEqual(self.docker_run(name, "node", "server.js", "--once").split()[0], "up")

        server = context / "server.js"
        server.write_text(server.read_text().replace("`up for", "`edited, up for"))
        again = self.build(context, tag=name)
        self.assert_only_the_source_was_copied(again)
        self.assertEqual(self.docker_run(name, "node", "server.js", "--once").split()[0], "edited,")

        # The same on a builder that was never here before.
        self.cluster.replace_builder()
        server.write_text(server.read_text().replace("`edited,", "`edited-twice,"))
        fresh = self.build(context, tag=name)
        self.assert_only_the_source_was_copied(fresh)
        self.assertEqual(fresh.log(), "")
        self.assertEqual(self.docker_run(name, "node", "server.js", "--once").split()[0], "edited-twice,")

    def assert_only_the_source_was_copied(self, build):
        self.assertEqual(build.states("RUN apt-get"), ["cached"])
        self.assertEqual(build.states("RUN npm ci"), ["cached"])
        ran = [name for name, state in build.dockerfile_steps().items() if state == "done"]
        self.assertEqual(len(ran), 1, ran)
        self.assertIn("COPY server.js", ran[0])


class ForeignBaseTest(BuildTestCase):
    PAYLOAD = 24 << 20

    def assert_layers_are_shared(self, base, name):
        """The image on top of `base` brings one layer, and its base's layers lie in the store once."""
        held = tree_bytes(self.cluster.data)
        blobs = self.cluster.store_metric("blobs")
        self.build({"Dockerfile": f"FROM {base}\nRUN cat /greeting > /copied\n"}, tag=name)
        self.assertLess(tree_bytes(self.cluster.data) - held, self.PAYLOAD // 2)
        # One layer, one config; manifests are no blobs.
        self.assertEqual(self.cluster.store_metric("blobs"), blobs + 2)
        lower, image = self.pulled(base.partition("/")[2]), self.pulled(name)
        self.assertEqual([layer["digest"] for layer in image.manifest["layers"]][:-1],
                         [layer["digest"] for layer in lower.manifest["layers"]])
        self.assertEqual(image.tree()["copied"], file("from elsewhere\n"))

    def test_a_base_that_skopeo_pushed(self):
        layout = make_busybox_oci_layout(self.folder / "layout", payload_bytes=self.PAYLOAD, files={"/greeting": "from elsewhere\n"})
        base = f"{self.address}/bases/skopeo:1"
        run(["skopeo", "copy", "--dest-tls-verify=false", layout.reference, f"docker://{base}"])
        self.assert_layers_are_shared(base, "on/skopeo:1")

    def test_a_base_that_docker_pushed(self):
        layout = make_busybox_oci_layout(self.folder / "layout", payload_bytes=self.PAYLOAD, files={"/greeting": "from elsewhere\n"}, seed=2)
        base = f"{self.address}/bases/docker:1"
        archive = self.folder / "image.tar"
        run(["skopeo", "copy", layout.reference, f"docker-archive:{archive}:{base}"])
        daemon = self.dockerd()
        daemon.docker("load", "-i", archive)
        daemon.docker("push", base)
        self.assert_layers_are_shared(base, "on/docker:1")


if __name__ == "__main__":
    unittest.main()

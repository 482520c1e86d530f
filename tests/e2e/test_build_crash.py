"""kill -9 of the store, the registry and the builder in the middle of a build, of a push and of a pull.

After the restart nothing that was acknowledged is lost, nothing half-written is visible, nothing of the old process runs or is
mounted, and the next try succeeds. What skopeo pushes and pulls meanwhile is in test_registry_crashes.py.
"""

import threading
import unittest

from cluster import BuildTestCase, PulledImage, WebServer, file
from harness import Http, Stack, run, tree_bytes, wait_until
from images import make_busybox_oci_layout
from test_build_bad_input import mounts_below, processes_with

MIB = 1 << 20
LARGE = 384 * MIB
CAUGHT = 16 * MIB


class CrashTestCase(BuildTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.scratch / "elsewhere").mkdir()
        cls.elsewhere = cls.launch(Stack(cls.scratch / "elsewhere"))

    def setUp(self):
        super().setUp()
        self.before_context = self.context({"Dockerfile": "FROM busybox\nRUN echo before > /before\n"}, "before")
        self.before = self.build(self.before_context, tag="before/all:1").digest

    def service(self, name):
        return {"store": self.cluster.store, "registry": self.cluster.registry, "builder": self.cluster.builder}[name]

    def kill_and_restart(self, name):
        self.service(name).kill9()
        self.service(name).start()

    def wait_until_well(self):
        wait_until(lambda: self.cluster.strata("images", check=False).returncode == 0, 30, "the builder to find the store again")
        wait_until(self.cluster.registry.ready, 30, "the registry to find the store again")

    def assert_earlier_work_is_whole(self):
        image = self.pulled("before/all:1")
        self.assertEqual(image.tree()["before"], file("before\n"))
        self.assertEqual(self.cluster.strata_json("inspect", "before/all:1")[0]["manifest_digest"], self.before)
        again = self.build(self.before_context, tag="before/all:1")
        self.assertEqual((again.digest, set(again.dockerfile_steps().values())), (self.before, {"cached"}))

    def assert_is_not_visible(self, repository, stack=None):
        http = Http((stack or self.cluster).address)
        self.assertEqual(http.request("GET", f"/v2/{repository}/manifests/latest").status, 404)


class BuildKilledTest(CrashTestCase):
    def start_build(self, context):
        client = self.cluster.start_strata("build", "--progress", "plain", "-t", self.name, context)
        self.addCleanup(client.kill)
        return client

    def killed_in_a_run(self, name):
        """The service dies while the second step runs."""
        entered, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def answer(_path):
            entered.set()
            release.wait(120)
            return 200, b"released\n"

        server = WebServer(answer)
        self.addCleanup(server.close)
        context = self.context({"Dockerfile": f"FROM busybox\nCOPY a /a\nRUN cat /proc/sys/kernel/random/uuid > /id\n"
                                              f"RUN wget -q -O /w http://{server.address}/w\n", "a": f"{name}\n"})
        mounts = mounts_below("self", self.cluster.builder.data)
        client = self.start_build(context)
        self.assertTrue(entered.wait(60), "the build does not get to its last step")
        self.kill_and_restart(name)
        if name == "builder":
            wait_until(lambda: not processes_with(f"http://{server.address}/w"), 30, "what the dead builder had started to end")
            self.assertEqual(mounts_below("self", self.cluster.builder.data), mounts)
        release.set()
        _, errors = client.communicate(timeout=90)
        return context, client.returncode, errors

    def assert_next_try_succeeds(self, context):
        self.wait_until_well()
        self.assert_earlier_work_is_whole()
        again = self.build(context)
        # Steps that had ended before the kill are not lost.
        self.assertEqual(again.states("RUN cat /proc"), ["cached"])
        self.assertEqual(again.states("COPY a"), ["cached"])
        self.assertEqual(self.pulled().tree()["w"], file("released\n"))

    def test_builder_killed_in_a_run(self):
        context, code, errors = self.killed_in_a_run("builder")
        self.assertEqual(code, 3, errors)
        self.assertIn(self.cluster.builder.address, errors)
        self.assert_is_not_visible(self.name)
        self.assert_next_try_succeeds(context)

    def test_store_killed_in_a_run(self):
        context, _, _ = self.killed_in_a_run("store")
        # The store was back before the step ended: the build may well have succeeded. Either way the next one does.
        self.assert_next_try_succeeds(context)

    def test_registry_killed_in_a_run(self):
        context, code, errors = self.killed_in_a_run("registry")
        self.assertEqual(code, 0, errors)  # builds do not go through it
        self.assert_next_try_succeeds(context)

    def killed_in_an_upload(self, name):
        """The service dies while a large layer is on its way into the store."""
        context = self.context({"Dockerfile": "FROM busybox\nCOPY a /a\nRUN cat /proc/sys/kernel/random/uuid > /id\n"
                                              f"RUN dd if=/dev/urandom of=/large bs=1M count={LARGE // MIB} 2> /dev/null; echo released > /w\n",
                                "a": f"upload {name}\n"})
        held = tree_bytes(self.cluster.data)
        client = self.start_build(context)
        wait_until(lambda: client.poll() is not None or tree_bytes(self.cluster.data) > held + CAUGHT, 120, "the layer to be uploaded", interval=0.005)
        self.service(name).kill9()
        _, errors = client.communicate(timeout=90)
        self.assertEqual(client.returncode, 3, f"exit code {client.returncode}\n{errors}")
        self.service(name).start()
        self.wait_until_well()
        self.assert_is_not_visible(self.name)
        return context, errors

    def test_store_killed_in_an_upload(self):
        context, errors = self.killed_in_an_upload("store")
        self.assertIn(f"127.0.0.1:{self.cluster.store_port}", errors)
        self.assert_next_try_succeeds(context)

    def test_builder_killed_in_an_upload(self):
        context, errors = self.killed_in_an_upload("builder")
        self.assertIn(self.cluster.builder.address, errors)
        self.assert_next_try_succeeds(context)


class BuilderStoppedTest(CrashTestCase):
    """SIGTERM is no crash: what runs may end, and nothing is left of it."""

    def test_a_running_build_ends_first(self):
        entered, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def answer(_path):
            entered.set()
            release.wait(120)
            return 200, b"released\n"

        server = WebServer(answer)
        self.addCleanup(server.close)
        context = self.context({"Dockerfile": f"FROM busybox\nRUN wget -q -O /w http://{server.address}/w\n"})
        client = self.cluster.start_strata("build", "--progress", "plain", "-t", self.name, context)
        self.addCleanup(client.kill)
        self.assertTrue(entered.wait(60), "the build does not run")
        builder = self.cluster.builder
        builder.process.terminate()
        wait_until(lambda: not builder.ready(), 30, "the builder to say that it is going")
        release.set()
        _, errors = client.communicate(timeout=60)
        self.assertEqual(client.returncode, 0, errors)
        self.assertEqual(builder.process.wait(30), 0)
        self.assertEqual(mounts_below("self", builder.data), [])
        builder.start()
        self.assertEqual(self.pulled().tree()["w"], file("released\n"))
        self.assert_earlier_work_is_whole()


class TransferKilledTest(CrashTestCase):
    """`strata pull` and `strata push`: the builder copies between the store and another registry."""

    def large_image(self, seed):
        return make_busybox_oci_layout(self.folder / "layout", payload_bytes=LARGE, payload_layers=3, seed=seed)

    def transfer_killed(self, service, arguments, growing, may_finish=False):
        """Whether the transfer ended all the same: the builder reads a blob that it has opened to its end without the store."""
        held = tree_bytes(growing)
        client = self.cluster.start_strata(*arguments)
        self.addCleanup(client.kill)
        wait_until(lambda: client.poll() is not None or tree_bytes(growing) > held + CAUGHT, 120, "the transfer to be under way", interval=0.005)
        service.kill9()
        _, errors = client.communicate(timeout=90)
        self.assertIn(client.returncode, [0, 3] if may_finish else [3], f"exit code {client.returncode}\n{errors}")
        service.start()
        self.wait_until_well()
        self.assert_earlier_work_is_whole()
        return client.returncode == 0

    def pull_killed(self, name, seed):
        image = self.large_image(seed)
        reference = f"{self.elsewhere.address}/far/{self.name}:latest"
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, f"docker://{reference}"])
        self.transfer_killed(self.service(name), ["pull", "--quiet", reference], self.cluster.data)
        self.assertNotIn(reference, [f"{row['repository']}:{row['tag']}" for row in self.cluster.strata_json("images")])
        self.assertEqual(self.cluster.strata_json("pull", "--quiet", reference)["digest"], image.manifest_digest)
        self.cluster.strata("tag", reference, f"{self.name}:latest")
        self.pulled()

    def push_killed(self, name, seed):
        image = self.large_image(seed)
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, f"docker://{self.address}/{self.name}:latest"])
        service = self.elsewhere.store if name == "elsewhere" else self.service(name)
        target = f"{self.elsewhere.address}/{self.name}:latest"
        if not self.transfer_killed(service, ["push", "--quiet", self.name, target], self.elsewhere.data, may_finish=name == "store"):
            self.assert_is_not_visible(self.name, self.elsewhere)
        self.assertEqual(self.cluster.strata_json("push", "--quiet", self.name, target)["digest"], image.manifest_digest)
        out = self.folder / "pushed"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{target}", f"dir:{out}"])
        PulledImage(out)

    def test_builder_killed_in_a_pull(self):
        self.pull_killed("builder", seed=31)

    def test_store_killed_in_a_pull(self):
        self.pull_killed("store", seed=32)

    def test_builder_killed_in_a_push(self):
        self.push_killed("builder", seed=33)

    def test_store_killed_in_a_push(self):
        self.push_killed("store", seed=34)

    def test_docker_goes_on_without_the_builder(self):
        # Pushes and pulls of stock clients do not go through it.
        daemon = self.dockerd()
        self.cluster.builder.kill9()
        try:
            daemon.docker("pull", f"{self.address}/before/all:1")
            daemon.docker("tag", f"{self.address}/before/all:1", f"{self.address}/by-docker:1")
            daemon.docker("push", f"{self.address}/by-docker:1")
        finally:
            self.cluster.builder.start()
        self.assertEqual(self.pulled("by-docker:1").tree()["before"], file("before\n"))


if __name__ == "__main__":
    unittest.main()

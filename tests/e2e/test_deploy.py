"""deploy/up and deploy/down as a person uses them, on ports and in a data folder of the test's own."""

import json
import os
import shutil
import signal
import socket
import tempfile
import time
import unittest
from pathlib import Path

from harness import BAZEL_BIN, BUILDER, CLI, REGISTRY, REPOSITORY, STORE, Dockerd, Http, ScratchTestCase, binary, free_port, run

REPEAT_SECONDS = 10  # "a second run takes seconds", on a busy machine


def free_ports():
    """(registry, builder, store): ports whose neighbours for /metrics are free as well."""
    while True:
        ports = [free_port() for _ in range(3)]
        needed = {ports[0], ports[0] + 1, ports[1], ports[1] + 10, ports[2], ports[2] + 10}
        if len(needed) == 6 and all(is_free(port) for port in needed):
            return ports


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class DeployTest(ScratchTestCase):
    def setUp(self):
        for program in (CLI, BUILDER):
            binary(program)  # says what to build when it is missing
        self.home = Path(tempfile.mkdtemp(prefix="home-", dir=self.scratch))
        self.bazel_bin = BAZEL_BIN
        self.environment = {}
        self.registry, self.builder, self.store = free_ports()
        self.addCleanup(self.down, check=False)

    def deploy(self, script, *arguments, check=True):
        environment = {"STRATA_HOME": str(self.home), "STRATA_BAZEL_BIN": str(self.bazel_bin), **self.environment}
        return run([REPOSITORY / "deploy" / script, *arguments], timeout=180, check=check, env=environment)

    def up(self, *arguments, check=True):
        return self.deploy("up", "--no-install", "--no-build", "--no-docker", "--registry-port", self.registry, "--builder-port", self.builder,
                           "--store-port", self.store, *arguments, check=check)

    def down(self, *arguments, check=True):
        return self.deploy("down", *arguments, check=check)

    def strata(self, *arguments):
        return run([self.home / "bin/strata", "--builder", f"127.0.0.1:{self.builder}", *arguments])

    def pid(self, name):
        return int((self.home / "run" / f"{name}.pid").read_text())

    def printed_commands(self, output):
        return [line.strip() for line in output.splitlines() if line.startswith("    ")]

    def test_the_two_printed_commands_end_in_a_running_container(self):
        build, docker_run = self.printed_commands(self.up().stdout)
        run(["sh", "-c", build], cwd=REPOSITORY)
        dockerd = Dockerd(tempfile.mkdtemp(dir=self.scratch))
        self.addCleanup(dockerd.stop)
        dockerd.start()
        self.assertTrue(docker_run.startswith("docker run --rm "), docker_run)
        arguments = docker_run.split()[1:]
        arguments.insert(1, "--network=none")  # the test's dockerd has no networks to offer
        self.assertEqual(dockerd.docker(*arguments).stdout, f"Hello, world! This image was built by Strata on {os.uname().machine}.\n")

    def test_a_second_run_keeps_what_runs_and_takes_seconds(self):
        self.up()
        before = [self.pid(name) for name in ("store", "registry", "builder")]
        started = time.monotonic()
        self.up()
        self.assertLess(time.monotonic() - started, REPEAT_SECONDS)
        self.assertEqual([self.pid(name) for name in ("store", "registry", "builder")], before)

    def test_a_killed_service_comes_back_and_the_others_stay(self):
        self.up()
        store, registry, builder = (self.pid(name) for name in ("store", "registry", "builder"))
        os.kill(registry, signal.SIGKILL)
        self.up()
        self.assertEqual((self.pid("store"), self.pid("builder")), (store, builder))
        self.assertNotEqual(self.pid("registry"), registry)
        self.assertEqual(Http(f"127.0.0.1:{self.registry}").request("GET", "/v2/").status, 200)

    def test_a_rebuilt_program_is_restarted(self):
        self.up()
        store, registry = self.pid("store"), self.pid("registry")
        rebuilt = self.scratch / "rebuilt"
        for program in (STORE, REGISTRY, BUILDER, CLI):
            copy = rebuilt / program
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(binary(program), copy)
        with open(rebuilt / REGISTRY, "ab") as out:
            out.write(b"\n")  # another file that is the same program
        self.bazel_bin = rebuilt
        self.assertIn("registry is ready", self.up().stdout)
        self.assertEqual(self.pid("store"), store)
        self.assertNotEqual(self.pid("registry"), registry)

    def test_down_stops_everything_and_keeps_the_data(self):
        self.up()
        self.strata("build", "-t", "kept", REPOSITORY / "deploy/examples/hello")
        pids = [self.pid(name) for name in ("store", "registry", "builder")]
        said = self.down().stdout
        for name, pid in zip(("store", "registry", "builder"), pids):
            self.assertIn(f"stopped {name} (pid {pid})", said)
            self.assertFalse(self._is_running(pid), name)
        self.up()
        images = json.loads(self.strata("images", "--output", "json").stdout)
        self.assertIn("kept", json.dumps(images))

    def _is_running(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/exe").startswith(str(self.home))
        except OSError:
            return False

    def test_down_without_up_is_no_error(self):
        self.assertIn("nothing runs", self.down().stdout)

    def test_purge_removes_the_data_but_nothing_that_is_not_ours(self):
        self.up()
        self.down("--purge")
        self.assertFalse(self.home.exists())
        self.home.mkdir()
        (self.home / "run").mkdir()
        (self.home / "letter.txt").write_text("mine")
        refused = self.down("--purge", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertTrue((self.home / "letter.txt").exists())

    def test_a_taken_port_is_named_with_its_holder_and_the_way_out(self):
        with socket.create_server(("127.0.0.1", self.builder)):
            refused = self.up(check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(f"port {self.builder}, which the builder needs, is taken by", refused.stderr)
        self.assertIn(f"(pid {os.getpid()})", refused.stderr)
        self.assertIn("--builder-port", refused.stderr)
        self.assertFalse((self.home / "run/store.pid").exists(), "something was started all the same")

    def test_a_service_that_does_not_start_names_its_log(self):
        self.environment = {"STRATA_STORE_GC_GRACE": "soon"}
        refused = self.up(check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("soon", refused.stderr)  # the reason, from the log
        self.assertIn(f"{self.home}/log/store.log", refused.stderr)

    def test_the_lock_is_not_kept_by_what_was_started(self):
        self.up()
        held = [path for path in Path("/proc").glob("[0-9]*/fd/*") if self._leads_to(path, self.home / "run/lock")]
        self.assertEqual(held, [])

    @staticmethod
    def _leads_to(link, target):
        try:
            return os.readlink(link) == str(target)
        except OSError:
            return False


class PackagesTest(unittest.TestCase):
    def test_nothing_is_installed_when_all_is_there(self):
        done = run([REPOSITORY / "deploy/install-packages", "build", "run", "test"])
        self.assertEqual(done.stdout, "")

    def test_an_unknown_section_is_named(self):
        done = run([REPOSITORY / "deploy/install-packages", "--list", "bulid"], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('"bulid"', done.stderr)
        self.assertIn("build", done.stderr)

    def test_every_third_party_target_has_its_package(self):
        """A library that is linked and not listed builds here and fails on a bare machine."""
        listed = (REPOSITORY / "deploy/packages").read_text()
        for build in (REPOSITORY / "third_party").glob("*/BUILD.bazel"):
            links = "-l" in build.read_text()
            if links:
                self.assertIn(f"third_party/{build.parent.name}\n", listed)


if __name__ == "__main__":
    unittest.main()

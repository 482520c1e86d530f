"""What goes wrong in a build: what the person is told, what is left behind, and who else notices (nobody)."""

import io
import os
import signal
import socket
import tarfile
import threading
import unittest
from pathlib import Path

from cluster import BuildTestCase, Cluster, WebServer, file
from harness import Http, free_port, run, tree_bytes, wait_until

FAILED, USAGE, UNREACHABLE, NOT_FOUND, BUILD_FAILED, INTERRUPTED = 1, 2, 3, 4, 5, 130
MIB = 1 << 20


def processes_with(marker):
    """Pids of processes, of anybody, whose command line has `marker`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def mounts_below(pid, path):
    """Mount points below `path` as a process sees them."""
    return sorted(line.split()[4] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines() if line.split()[4].startswith(f"{path}/"))


class BadInputTestCase(BuildTestCase):
    def failure(self, files, *arguments, exit_code=BUILD_FAILED, **options):
        """What a build that must fail says."""
        failed = self.build(files, *arguments, check=False, **options)
        self.assertEqual(failed.exit_code, exit_code, failed.errors)
        self.assertEqual(failed.output, "", "a failed build printed a result")
        return failed.message

    def assert_says(self, message, *parts):
        for part in parts:
            self.assertIn(part, message)
        self.assertNotIn(str(self.cluster.scratch / "builder"), message, "a path of the builder's disk is shown")

    def assert_builds(self):
        """The builder is well: a build that runs something, not from the cache, and whose result can be pulled."""
        self.build({"Dockerfile": "FROM busybox\nCOPY f /f\nRUN cat /f > /g\n", "f": "fine\n"}, "--no-cache", tag="health")
        self.assertEqual(self.pulled("health").tree()["g"], file("fine\n"))


class DockerfileErrorsTest(BadInputTestCase):
    def test_misspelt_stage(self):
        message = self.failure({"Dockerfile": "FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /x /x\n"})
        self.assert_says(message, "Dockerfile:3", 'no stage "biuld"', 'did you mean "build" (line 1)?')

    def test_misspelt_target(self):
        message = self.failure({"Dockerfile": "FROM busybox AS build\nRUN true\n"}, "--target", "biuld")
        self.assert_says(message, '"biuld"', 'did you mean "build"')

    def test_unknown_instruction(self):
        message = self.failure({"docker/app.Dockerfile": "FROM busybox\n\nRUM echo x\n"}, "-f", self.folder / "context/docker/app.Dockerfile")
        self.assert_says(message, "app.Dockerfile:3", "unknown instruction: RUM", "did you mean RUN")

    def test_missing_copy_source(self):
        message = self.failure({"Dockerfile": "FROM busybox\nRUN true\nCOPY none.txt /\n"})
        self.assert_says(message, "Dockerfile:3", '"/none.txt"', "not found")

    def test_missing_copy_source_of_a_stage(self):
        message = self.failure({"Dockerfile": "FROM busybox AS a\nFROM busybox\nCOPY --from=a /none /\n"})
        self.assert_says(message, "Dockerfile:3", '"/none"', "not found")

    def test_ignored_copy_source(self):
        message = self.failure({"Dockerfile": "FROM busybox\nCOPY a.log /\n", "a.log": "a", ".dockerignore": "*.log\n"})
        self.assert_says(message, "Dockerfile:2", '"/a.log"', "not found")

    def test_unknown_base(self):
        message = self.failure({"Dockerfile": "FROM busybox\n\nFROM team/nowhere:1\nRUN true\n"})
        self.assert_says(message, "Dockerfile:3", '"team/nowhere:1" not found', 'looked in the store, repository "team/nowhere"')

    def test_unknown_base_elsewhere(self):
        port = free_port()
        message = self.failure({"Dockerfile": f"FROM 127.0.0.1:{port}/team/nowhere:1\n"}, exit_code=UNREACHABLE)
        self.assert_says(message, "Dockerfile:1", f"127.0.0.1:{port}", "team/nowhere")

    def test_base_for_another_processor(self):
        message = self.failure({"Dockerfile": "FROM busybox\nRUN true\n"}, "--platform", "linux/riscv64")
        self.assert_says(message, "Dockerfile:1", "linux/amd64", "linux/riscv64")

    def test_bad_references(self):
        message = self.failure({"Dockerfile": "FROM busybox:1:2\n"})
        self.assert_says(message, "Dockerfile:1", "busybox:1:2")
        message = self.failure({"Dockerfile": "FROM busybox\n"}, tag="Team/App", exit_code=USAGE)
        self.assert_says(message, "Team/App")

    def test_empty_dockerfile(self):
        self.assert_says(self.failure({"Dockerfile": "# nothing but a remark\n"}), "Dockerfile", "cannot be empty", "FROM")

    def test_unknown_user(self):
        message = self.failure({"Dockerfile": "FROM busybox\nUSER nobody-like-this\nRUN true\n"})
        self.assert_says(message, "Dockerfile:3", "nobody-like-this", "/etc/passwd")

    def test_url_that_is_not_there(self):
        message = self.failure({"Dockerfile": f"FROM busybox\nADD http://{self.address}/nothing /x\n"})
        self.assert_says(message, "Dockerfile:2", f"http://{self.address}/nothing", "404")
        port = free_port()
        message = self.failure({"Dockerfile": f"FROM busybox\nADD http://127.0.0.1:{port}/nothing /x\n"}, exit_code=UNREACHABLE)
        self.assert_says(message, "Dockerfile:2", f"127.0.0.1:{port}")

    def test_what_is_not_there(self):
        missing = self.folder / "missing"
        message = self.failure(missing, exit_code=NOT_FOUND)
        self.assert_says(message, str(missing))
        message = self.failure({"other": "x"}, exit_code=NOT_FOUND)
        self.assert_says(message, '"Dockerfile"', "--file")

    def test_wrong_usage(self):
        context = self.context({"Dockerfile": "FROM busybox\n"})
        self.assert_says(self.failure(context, "--no-cahce", exit_code=USAGE), "--no-cahce", "--no-cache")
        self.assert_says(self.failure(context, "--platform", "no/such/thing/at/all", exit_code=USAGE), "no/such/thing/at/all")


class RunErrorsTest(BadInputTestCase):
    def test_exit_code_line_and_last_output(self):
        message = self.failure({"Dockerfile": "FROM busybox\nRUN true && \\\n    seq 1 5000 && \\\n    echo the reason >&2 && exit 7\nRUN echo never\n"})
        self.assert_says(message, "Dockerfile:2", "exit code: 7", "4999\n5000\nthe reason")
        self.assertNotIn("\n4000\n", message)

    def test_all_of_its_output_was_shown_on_the_way(self):
        failed = self.build({"Dockerfile": "FROM busybox\nRUN seq 1 50000; exit 3\n"}, check=False)
        self.assertEqual(failed.log(), "".join(f"{i}\n" for i in range(1, 50001)))
        self.assertEqual(failed.states("RUN seq"), ["failed"])

    def test_no_such_program(self):
        message = self.failure({"Dockerfile": 'FROM busybox\nRUN ["/bin/nothing-like-this", "x"]\n'})
        self.assert_says(message, "Dockerfile:2", "/bin/nothing-like-this", "not found in the image")

    def test_nothing_of_a_failed_build_is_named(self):
        self.failure({"Dockerfile": "FROM busybox\nRUN echo x > /x\nRUN false\n"})
        self.assertEqual(Http(self.address).request("GET", f"/v2/{self.name}/manifests/latest").status, 404)

    def test_a_failed_step_is_not_cached(self):
        server = WebServer(lambda _path: (200, b"x") if len(server.requests) > 1 else (500, b"not yet"))
        self.addCleanup(server.close)
        files = {"Dockerfile": f"FROM busybox\nRUN wget -q -O /x http://{server.address}/x\n"}
        self.failure(files)
        self.assertEqual(self.built(files).tree()["x"], file("x"))


class UnreachableTest(BadInputTestCase):
    def test_builder(self):
        address = f"127.0.0.1:{free_port()}"
        context = self.context({"Dockerfile": "FROM busybox\n"})
        for command in (["build", "-t", "x", context], ["images"], ["inspect", "busybox"], ["push", "busybox", "127.0.0.1:1/x"]):
            with self.subTest(command[0]):
                done = self.cluster.strata("--builder", address, *command, check=False, timeout=30)
                self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
                self.assert_says(done.stderr, address, "--builder")

    def test_store(self):
        self.cluster.store.stop()
        try:
            message = self.failure({"Dockerfile": "FROM busybox\nRUN true\n"}, exit_code=UNREACHABLE, timeout=60)
            self.assert_says(message, "store", f"127.0.0.1:{self.cluster.store_port}")
            done = self.cluster.strata("images", check=False, timeout=60)
            self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
            self.assert_says(done.stderr, f"127.0.0.1:{self.cluster.store_port}")
        finally:
            self.cluster.store.start()
        # Back again: nobody has to restart the others.
        wait_until(lambda: self.cluster.strata("images", check=False).returncode == 0, 30, "the builder to find the store again")
        self.assert_builds()

    def test_something_else_answers(self):
        done = self.cluster.strata("--builder", self.address, "images", check=False, timeout=30)
        self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
        self.assert_says(done.stderr, self.address)


class VanishedClientTest(BadInputTestCase):
    def setUp(self):
        super().setUp()
        self.builder = self.cluster.builder
        self.mounts = self.mounts_now()

    def mounts_now(self):
        """What is mounted on the builder's disk: as it sees that, and as this machine does."""
        return mounts_below(self.builder.process.pid, self.builder.data), mounts_below("self", self.builder.data)

    def start_build(self, files, *arguments):
        self.errors_path = self.folder / "errors"
        errors = open(self.errors_path, "w")
        self.addCleanup(errors.close)
        client = self.cluster.start_strata("build", "--progress", "plain", "-t", self.name, *arguments, self.context(files), errors=errors)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.kill)
        return client

    def assert_nothing_is_left(self, marker):
        wait_until(lambda: not processes_with(marker), 30, f"the processes with {marker!r} to end")
        wait_until(lambda: self.mounts_now() == self.mounts, 30, "the mounts to go")
        wait_until(lambda: self.cluster.store_metric("open_uploads") == 0, 30, "the uploads to be given up")
        self.assertEqual(Http(self.address).request("GET", f"/v2/{self.name}/manifests/latest").status, 404)
        self.assertIsNone(self.builder.process.poll())
        self.assert_builds()

    def run_and_send(self, number, seconds):
        client = self.start_build({"Dockerfile": f"FROM busybox\nRUN echo x > /x\nRUN sleep {seconds} & sleep {seconds}; true\n"})
        marker = f"sleep\0{seconds}"
        wait_until(lambda: len(processes_with(marker)) >= 2, 60, "the RUN to run")
        client.send_signal(number)
        client.wait(30)
        self.assert_nothing_is_left(marker)
        return client

    def test_killed_in_the_middle_of_a_run(self):
        self.run_and_send(signal.SIGKILL, 31415)

    def test_interrupted_in_the_middle_of_a_run(self):
        client = self.run_and_send(signal.SIGINT, 27182)
        self.assertEqual(client.returncode, INTERRUPTED)
        self.assertIn("interrupted", self.errors_path.read_text())

    def test_killed_in_the_middle_of_an_upload(self):
        held = tree_bytes(self.cluster.data)
        client = self.start_build({"Dockerfile": "FROM busybox\nRUN dd if=/dev/urandom of=/large bs=1M count=512\n"})
        wait_until(lambda: client.poll() is not None or tree_bytes(self.cluster.data) > held + 16 * MIB, 120, "the layer to be uploaded", interval=0.005)
        client.kill()
        client.wait(30)
        self.assertEqual(client.returncode, -signal.SIGKILL, "the build was over before the kill")
        self.assert_nothing_is_left("of=/large")
        wait_until(lambda: tree_bytes(self.cluster.data) < held + 16 * MIB, 30, "the half upload to be removed")

    def test_killed_while_sending_the_context(self):
        context = self.builder.data / "context"
        held = tree_bytes(context)
        files = {"Dockerfile": "FROM busybox\nCOPY sent-in-part /\n"}
        self.context(files)
        with open(self.folder / "context/sent-in-part", "wb") as large:
            for _ in range(768):
                large.write(os.urandom(MIB))
        client = self.start_build(files)
        wait_until(lambda: client.poll() is not None or tree_bytes(context) > held + 8 * MIB, 120, "the context to be sent", interval=0.002)
        client.kill()
        client.wait(30)
        self.assertEqual(client.returncode, -signal.SIGKILL, "the build was over before the kill")
        self.assert_nothing_is_left("sent-in-part")
        wait_until(lambda: tree_bytes(context) <= held + MIB, 30, "the half file to be removed")

    def test_a_connection_that_says_nothing(self):
        with socket.create_connection(tuple(self.builder.address.split(":"))) as silent:
            silent.sendall(b"\x16\x03\x01 this is no HTTP/2\r\n\r\n")
            self.assert_builds()


class FullDiskTest(BadInputTestCase):
    """Both disks are small: of the store's 384 MiB 128 are reserved; the builder's has 96 MiB."""

    @classmethod
    def make_cluster(cls):
        cluster = Cluster(cls.scratch)
        for path, size in ((cluster.data, 384 * MIB), (cluster.builder.data, 96 * MIB)):
            run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path])
        return cluster

    def replace_the_builders_disk(self):
        builder = self.cluster.builder
        builder.stop()
        run(["umount", builder.data])
        run(["mount", "-t", "tmpfs", "-o", f"size={96 * MIB},mode=700", "tmpfs", builder.data])
        builder.start()

    def fails_alone(self, files, *parts, **options):
        """While another build is under way, which then still ends well."""
        entered, release = threading.Event(), threading.Event()

        def answer(_path):
            entered.set()
            release.wait(120)
            return 200, b"released\n"

        server = WebServer(answer)
        self.addCleanup(server.close)
        other_context = self.context({"Dockerfile": f"FROM busybox\nRUN wget -q -O /w http://{server.address}/w\n"}, "other")
        other = self.cluster.start_strata("build", "-t", f"{self.name}-other", other_context)
        try:
            self.assertTrue(entered.wait(60), "the other build does not run")
            message = self.failure(files, **options)
        finally:
            release.set()
        self.assertRegex(message.lower(), "no space left|disk (of the store )?is full")
        self.assert_says(message, *parts)
        _, errors = other.communicate(timeout=60)
        self.assertEqual(other.returncode, 0, errors)
        self.assertEqual(self.pulled(f"{self.name}-other").tree()["w"], file("released\n"))
        self.assertEqual(Http(self.address).request("GET", f"/v2/{self.name}/manifests/latest").status, 404)
        self.assert_builds()

    def test_run_fills_the_builders_disk(self):
        self.fails_alone({"Dockerfile": "FROM busybox\nRUN dd if=/dev/zero of=/large bs=1M count=200\n"}, "Dockerfile:2")

    def test_copy_fills_the_builders_disk(self):
        context = self.context({"Dockerfile": "FROM busybox\nCOPY large /\n"})
        with open(context / "large", "wb") as large:
            for _ in range(160):
                large.write(os.urandom(MIB))
        self.fails_alone(context, "Dockerfile:2", exit_code=FAILED)

    def test_a_layer_fills_the_stores_disk(self):
        # Each build fits on the builder's disk, whose layers it may forget; the store keeps them all, until it cannot.
        self.assertLess(self.cluster.store_metric("disk_free_bytes"), 384 * MIB)
        for i in range(12):
            files = {"Dockerfile": f"FROM busybox\nRUN dd if=/dev/urandom of=/l bs=1M count=40 && echo {i}\n"}
            if self.build(files, tag=f"filler:{i}", check=False).exit_code != 0:
                break
            if i % 2:
                self.replace_the_builders_disk()
        else:
            self.fail("the store's disk never got full")
        self.fails_alone(files, "Dockerfile:2", "store", exit_code=FAILED)
        # Room again after images were removed is a matter of garbage collection; reading goes on all the while.
        self.assertEqual(len(self.pulled("filler:0").layers), 2)


class ManyAtOnceTest(BadInputTestCase):
    def test_builds_do_not_disturb_each_other(self):
        clients = {}
        for i in range(6):
            files = {"Dockerfile": f"FROM busybox\nCOPY data /data\nRUN cat /data/who > /who && sleep 0.{i} {'&& false' if i == 3 else ''}\n",
                     "data/who": f"build {i}\n"}
            clients[i] = self.cluster.start_strata("build", "-t", f"many/b{i}", self.context(files, f"c{i}"))
        for i, client in clients.items():
            _, errors = client.communicate(timeout=120)
            with self.subTest(i):
                self.assertEqual(client.returncode, BUILD_FAILED if i == 3 else 0, errors)
                if i != 3:
                    self.assertEqual(self.pulled(f"many/b{i}").tree()["who"], file(f"build {i}\n"))

    def test_builds_of_one_name_leave_one_whole_image(self):
        clients = []
        for i in range(4):
            context = self.context({"Dockerfile": "FROM busybox\nCOPY who /who\nRUN cat /who > /again\n", "who": f"{i}\n"}, f"c{i}")
            clients.append(self.cluster.start_strata("build", "-t", self.name, context))
        for client in clients:
            _, errors = client.communicate(timeout=120)
            self.assertEqual(client.returncode, 0, errors)
        tree = self.pulled().tree()
        self.assertEqual(tree["who"].content, tree["again"].content)


class StrangeTextTest(BadInputTestCase):
    def test_bytes_that_are_no_text(self):
        dockerfile = b'FROM busybox\nLABEL name="caf\xe9"\nENV E="\xff"\nRUN echo "\xe9" && printf "\xff" && echo x > /x\n'
        image = self.built({"Dockerfile": dockerfile})
        self.assertEqual(image.tree()["x"], file("x\n"))
        failed = self.build({"Dockerfile": dockerfile + b'RUN echo "\xe9"; exit 4\n'}, check=False)
        self.assertEqual(failed.exit_code, BUILD_FAILED, failed.errors)
        self.assert_says(failed.message, "Dockerfile:5", "exit code: 4")

    def test_names_of_files(self):
        context = self.context({"Dockerfile": 'FROM busybox\nCOPY . /all/\n', "with space": "a", "new\nline": "b", "\u00fc": "c", "*?[x]": "d", "-rf": "e"})
        (Path(os.fsdecode(os.fsencode(context) + b"/caf\xe9"))).write_text("f")
        self.build(context)
        names = {os.fsencode(path) for path in self.pulled().layers[1]}
        self.assertTrue({b"all/with space", b"all/new\nline", "all/\u00fc".encode(), b"all/*?[x]", b"all/-rf", b"all/caf\xe9"} <= names, names)


class HostileInputTest(BadInputTestCase):
    def tar_of(self, name, *entries):
        """A tar of (path, kind, content or link target) with a Dockerfile that copies everything."""
        path = self.folder / name
        with tarfile.open(path, "w") as tar:
            for entry_path, kind, content in entries:
                entry = tarfile.TarInfo(entry_path)
                entry.type, entry.mode = kind, 0o644
                if kind == tarfile.REGTYPE:
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
                    continue
                entry.linkname = content
                if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
                    entry.devmajor, entry.devminor = 1, 5
                tar.addfile(entry)
        return path

    DOCKERFILE = ("Dockerfile", tarfile.REGTYPE, b"FROM busybox\nCOPY . /all/\n")

    def build_tar(self, *entries):
        with open(self.tar_of("hostile.tar", self.DOCKERFILE, *entries), "rb") as stdin:
            return self.build("-", check=False, stdin=stdin)

    def test_paths_that_leave_the_context(self):
        for name in (f"../../../../../../../../..{self.folder}/escaped", f"{self.folder}/escaped", "a/../../../escaped"):
            with self.subTest(name):
                done = self.build_tar((name, tarfile.REGTYPE, b"x"), ("kept", tarfile.REGTYPE, b"y"))
                self.assertFalse((self.folder / "escaped").exists())
                if done.exit_code != 0:
                    self.assertIn("escaped", done.message)
                else:
                    self.assertTrue(all(path.startswith("all") for path in self.pulled().layers[1]))

    def test_files_behind_links(self):
        done = self.build_tar(("out", tarfile.SYMTYPE, str(self.folder)), ("out/escaped", tarfile.REGTYPE, b"x"))
        self.assertFalse((self.folder / "escaped").exists())
        self.assertIn(done.exit_code, (0, FAILED, BUILD_FAILED), done.errors)

    def test_hard_links_to_what_is_outside(self):
        secret = self.folder / "secret"
        secret.write_text("of this machine")
        done = self.build_tar(("stolen", tarfile.LNKTYPE, str(secret)))
        if done.exit_code == 0:
            self.assertNotIn(b"of this machine", [entry.content for entry in self.pulled().layers[1].values()])
        else:
            self.assertIn("stolen", done.message)

    def test_devices(self):
        done = self.build_tar(("zero", tarfile.CHRTYPE, ""))
        self.assertIn(done.exit_code, (0, FAILED, BUILD_FAILED), done.errors)
        if done.exit_code != 0:
            self.assertIn("zero", done.message)
        self.assert_builds()

    def test_links_of_the_context_stay_inside(self):
        context = self.context({"Dockerfile": "FROM busybox\nCOPY link/hostname /h\n", "link": Path("/etc"), "etc/hostname": "of the context\n"})
        done = self.build(context, check=False)
        if done.exit_code == 0:
            self.assertEqual(self.pulled().layers[1], {"h": file("of the context\n")})
        else:
            self.assertIn("Dockerfile:2", done.message)

    def test_archives_that_leave_the_image(self):
        context = self.context({"Dockerfile": "FROM busybox\nADD evil.tar /in/\n"})
        evil = self.tar_of("evil.tar", (f"../../../../../../..{self.folder}/escaped", tarfile.REGTYPE, b"x"),
                           (f"{self.folder}/escaped", tarfile.REGTYPE, b"x"), ("out", tarfile.SYMTYPE, str(self.folder)),
                           ("out/escaped", tarfile.REGTYPE, b"x"))
        evil.rename(context / "evil.tar")
        done = self.build(context, check=False)
        self.assertFalse((self.folder / "escaped").exists())
        if done.exit_code != 0:
            self.assertIn("Dockerfile:2", done.message)

    def test_rootfs_that_leaves_the_image(self):
        evil = self.tar_of("evil.tar", ("etc", tarfile.SYMTYPE, str(self.folder)), ("etc/escaped", tarfile.REGTYPE, b"x"),
                           (f"../../../../../../..{self.folder}/escaped", tarfile.REGTYPE, b"x"))
        self.cluster.strata("import", evil, "evil:1", check=False)
        self.build({"Dockerfile": "FROM evil:1\nCOPY --from=busybox /bin /bin\nRUN echo x > /etc/escaped || true\n"}, check=False)
        self.assertFalse((self.folder / "escaped").exists())
        self.assert_builds()

    def test_output_is_no_terminal_control(self):
        context = self.context({"Dockerfile": "FROM busybox\nRUN printf '\\033]0;title\\007\\033[2J evil \\377\\n'; exit 1\n"})
        done = self.cluster.strata("build", "--progress", "plain", "-t", "x", context, check=False)
        self.assertNotIn("\033", done.stderr)
        self.assertIn("evil", done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Dockerfiles become images: what each instruction leaves in config and layers, where a context may come from, and what is cached."""

import hashlib
import io
import json
import os
import pty
import subprocess
import tarfile
import threading
import unittest
from pathlib import Path

from cluster import BuildTestCase, WebServer, file, folder, hardlink, symlink
from harness import CLI, binary, run, tree_bytes

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class InstructionsTest(BuildTestCase):
    maxDiff = None

    def test_every_instruction_shows_in_the_config(self):
        image = self.built({
            "Dockerfile": """\
ARG BASE=nothing:like-this
FROM ${BASE}
LABEL org.example.team="core team" stage=test
ARG GREETING=hello
ARG UNSET
ENV GREETING=${GREETING} EMPTY="" JOINED=${GREETING}-${UNSET:-fallback}
WORKDIR /srv/app
WORKDIR sub
RUN echo "$GREETING $JOINED" > greeting.txt
EXPOSE 8080 53/udp
VOLUME /data /more
USER 1000:1001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/cat"]
CMD ["greeting.txt"]
"""}, "--build-arg", "BASE=busybox:latest", "--build-arg", "GREETING=hi")
        settings = image.settings
        self.assertEqual(settings["Env"], ["PATH=/bin", "GREETING=hi", "EMPTY=", "JOINED=hi-fallback"])
        self.assertEqual(settings["Labels"], {"org.example.team": "core team", "stage": "test"})
        self.assertEqual(settings["WorkingDir"], "/srv/app/sub")
        self.assertEqual(set(settings["ExposedPorts"]), {"8080/tcp", "53/udp"})
        self.assertEqual(set(settings["Volumes"]), {"/data", "/more"})
        self.assertEqual(settings["User"], "1000:1001")
        self.assertEqual(settings["StopSignal"], "SIGTERM")
        self.assertEqual(settings["Entrypoint"], ["/bin/cat"])
        self.assertEqual(settings["Cmd"], ["greeting.txt"])
        self.assertEqual((image.config["os"], image.config["architecture"]), ("linux", "amd64"))
        self.assertEqual(image.config["rootfs"]["diff_ids"], image.diff_ids())
        filled = [entry for entry in image.config["history"] if not entry.get("empty_layer")]
        self.assertEqual(len(filled), len(image.layers))
        self.assertTrue(any("greeting.txt" in entry.get("created_by", "") for entry in filled))
        self.assertEqual(image.tree()["srv/app/sub/greeting.txt"], file("hi hi-fallback\n"))

    def test_copy_layers_hold_exactly_what_was_copied(self):
        files = {
            "Dockerfile": """\
FROM busybox
COPY data.txt /srv/new.txt
COPY --chown=app:team --chmod=640 data.txt /srv/owned.txt
COPY folder /srv/tree/
COPY *.c lib/ /src/
""",
            "data.txt": "data\n",
            "folder/run.sh": ("#!/bin/sh\n", 0o755), "folder/deep/secret": ("s\n", 0o600), "folder/link": Path("run.sh"),
            "folder/empty": None,
            "a.c": "a\n", "b.c": "b\n", "c.h": "not copied\n", "lib/l.c": "l\n"}
        image = self.built(files)
        self.assertEqual(image.layers[1:], [
            {"srv": folder(), "srv/new.txt": file("data\n")},
            {"srv": folder(), "srv/owned.txt": file("data\n", 0o640, "1000:1001")},
            {"srv": folder(), "srv/tree": folder(), "srv/tree/run.sh": file("#!/bin/sh\n", 0o755), "srv/tree/deep": folder(),
             "srv/tree/deep/secret": file("s\n", 0o600), "srv/tree/link": symlink("run.sh"), "srv/tree/empty": folder()},
            {"src": folder(), "src/a.c": file("a\n"), "src/b.c": file("b\n"), "src/l.c": file("l\n")}])

    def test_run_layers_hold_changes_links_and_removals(self):
        image = self.built({"Dockerfile": """\
FROM busybox
RUN mkdir -p /a/sub && echo one > /a/one && echo two > /a/sub/two && echo x > /gone
RUN ln -s one /a/soft && ln /a/one /a/hard && chown 7:8 /a/sub/two && chmod 4750 /a/sub/two && rm /gone
RUN rm -rf /a/sub && mkdir /a/sub && echo new > /a/sub/new
"""})
        second, third = image.layers[2], image.layers[3]
        self.assertEqual(second[".wh.gone"].kind, "file")
        links = {path: entry for path, entry in second.items() if entry.kind == "hardlink"}
        self.assertEqual(len(links), 1)
        self.assertEqual({*links, *[entry.link for entry in links.values()]}, {"a/one", "a/hard"})
        self.assertEqual(second["a/soft"], symlink("one"))
        self.assertEqual(second["a/sub/two"], file("two\n", 0o4750, "7:8"))
        self.assertIn("a/sub/new", third)
        self.assertTrue("a/sub/.wh..wh..opq" in third or "a/sub/.wh.two" in third, third.keys())
        tree = image.tree()
        self.assertNotIn("gone", tree)
        self.assertNotIn("a/sub/two", tree)
        self.assertEqual(tree["a/sub/new"], file("new\n"))
        # What a RUN is given to work with is not what it leaves.
        for path in ("etc/resolv.conf", "etc/hosts", "proc/self", "dev/null", ".dockerenv"):
            self.assertNotIn(path, tree)

    def test_dockerignore_keeps_files_away(self):
        files = {
            "Dockerfile": "FROM busybox\nCOPY . /all/\n",
            ".dockerignore": "# a comment\n*.log\n!keep.log\nnode_modules\n**/tmp\nDockerfile\n.dockerignore\n",
            "a.log": "no\n", "keep.log": "yes\n", "node_modules/m/index.js": "no\n", "src/tmp/x": "no\n", "src/main.c": "yes\n",
            "src/b.log": "yes, the pattern is of the root\n"}
        self.assertEqual(self.built(files).layers[1], {
            "all": folder(), "all/keep.log": file("yes\n"), "all/src": folder(), "all/src/main.c": file("yes\n"),
            "all/src/b.log": file("yes, the pattern is of the root\n")})

    def test_dockerignore_beside_the_dockerfile_comes_first(self):
        files = {"docker/app.Dockerfile": "FROM busybox\nCOPY data /d/\n", "docker/app.Dockerfile.dockerignore": "data/b\n",
                 ".dockerignore": "data/a\n", "data/a": "a\n", "data/b": "b\n"}
        context = self.context(files)
        self.build(context, "-f", context / "docker/app.Dockerfile")
        self.assertEqual(self.pulled().layers[1], {"d": folder(), "d/a": file("a\n")})

    def test_only_what_the_dockerfile_needs_is_sent(self):
        context = self.context({"Dockerfile": "FROM busybox\nCOPY small.txt /\n", "small.txt": "small\n"})
        with open(context / "huge.bin", "wb") as huge:
            huge.truncate(1 << 40)  # nobody could read, hash or send that in the time of a test
        held = tree_bytes(self.cluster.builder.data / "context")
        self.build(context)
        self.assertLess(tree_bytes(self.cluster.builder.data / "context") - held, 1 << 20)

    def test_heredocs(self):
        image = self.built({"Dockerfile": """\
FROM busybox
ENV NAME=world
COPY <<EOF <<'RAW' /etc/conf/
hello $NAME
EOF
raw $NAME
RAW
COPY --chmod=755 <<-END /bin/script
	#!/bin/sh
	echo from a heredoc
	END
RUN <<EOF
set -e
echo one > /out
/bin/script >> /out
EOF
RUN <<SCRIPT
#!/bin/busybox sh
echo two >> /out
SCRIPT
"""})
        tree = image.tree()
        self.assertEqual(tree["etc/conf/EOF"], file("hello world\n"))
        self.assertEqual(tree["etc/conf/RAW"], file("raw $NAME\n"))
        self.assertEqual(tree["bin/script"], file("#!/bin/sh\necho from a heredoc\n", 0o755))
        self.assertEqual(tree["out"], file("one\nfrom a heredoc\ntwo\n"))

    def test_add_unpacks_local_archives_only(self):
        context = self.context({"Dockerfile": "FROM busybox\nADD app.tar.gz fake.tar.gz /opt/\nADD --unpack=false app.tar.gz /packed/\n"
                                              "ADD --chown=9:9 app.tar.gz /mine/\n",
                                "fake.tar.gz": "no archive at all\n"})
        with tarfile.open(context / "app.tar.gz", "w:gz") as tar:
            def add(name, kind=tarfile.REGTYPE, mode=0o644, content=b"", **fields):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode, entry.size = kind, mode, len(content)
                for field, value in fields.items():
                    setattr(entry, field, value)
                tar.addfile(entry, io.BytesIO(content))
            add("app/", tarfile.DIRTYPE, 0o750, uid=5, gid=6)
            add("app/tool", mode=0o4755, content=b"tool", uid=5, gid=6)
            add("app/alias", tarfile.SYMTYPE, 0o777, linkname="tool")
            add("app/same", tarfile.LNKTYPE, 0o4755, linkname="app/tool", uid=5, gid=6)
        archive = (context / "app.tar.gz").read_bytes()
        self.build(context)
        image = self.pulled()
        first = image.layers[1]
        self.assertEqual(first.pop("opt/fake.tar.gz"), file("no archive at all\n"))
        linked = {first.pop("opt/app/tool"), first.pop("opt/app/same")}
        self.assertIn(linked, ({file("tool", 0o4755, "5:6"), hardlink("opt/app/tool", 0o4755, "5:6")},
                               {file("tool", 0o4755, "5:6"), hardlink("opt/app/same", 0o4755, "5:6")}))
        self.assertEqual(first, {"opt": folder(), "opt/app": folder(0o750, "5:6"), "opt/app/alias": symlink("tool")})
        self.assertEqual(image.layers[2]["packed/app.tar.gz"], file(archive))
        self.assertEqual(image.layers[3]["mine/app"], folder(0o750, "9:9"))

    def test_add_fetches_a_url(self):
        content = {"/data/file.bin": b"first"}
        server = WebServer(lambda path: (200, content[path]) if path in content else (404, b"no"))
        self.addCleanup(server.close)
        url = f"http://{server.address}/data/file.bin"
        dockerfile = {"Dockerfile": f"FROM busybox\nADD {url} /got/\nADD {url} /got/named\n"}
        image = self.built(dockerfile)
        self.assertEqual(image.tree()["got/file.bin"], file("first", 0o600))
        self.assertEqual(image.tree()["got/named"], file("first", 0o600))
        self.assertEqual(set(self.build(dockerfile).dockerfile_steps().values()), {"cached"})
        content["/data/file.bin"] = b"second"
        self.assertEqual(self.built(dockerfile).tree()["got/file.bin"], file("second", 0o600))
        digest = hashlib.sha256(b"second").hexdigest()
        self.build({"Dockerfile": f"FROM busybox\nADD --checksum=sha256:{digest} {url} /\n"})
        wrong = self.build({"Dockerfile": f"FROM busybox\nADD --checksum=sha256:{'0' * 64} {url} /\n"}, check=False)
        self.assertNotEqual(wrong.exit_code, 0)
        self.assertIn("Dockerfile:2", wrong.message)
        self.assertIn("digest", wrong.message)

    def test_stages_copy_from_each_other(self):
        dockerfile = {"Dockerfile": """\
FROM busybox AS build
RUN mkdir /out && echo built > /out/app && chown 3:4 /out/app
FROM busybox AS broken
RUN echo nobody needs this stage && false
FROM build AS more
RUN echo more >> /out/app
FROM scratch
COPY --from=build /out/app /first
COPY --from=2 /out /second
COPY --from=busybox:latest /etc/passwd /passwd
CMD ["/first"]
"""}
        image = self.built(dockerfile)
        self.assertEqual([set(layer) for layer in image.layers], [{"first"}, {"second", "second/app"}, {"passwd"}])
        self.assertEqual(image.tree()["first"], file("built\n", owner="3:4"))
        self.assertEqual(image.tree()["second/app"], file("built\nmore\n", owner="3:4"))
        self.assertIn("app:x:1000", image.tree()["passwd"].content.decode())
        self.assertEqual(image.settings["Cmd"], ["/first"])

    def test_target_stops_at_a_stage(self):
        files = {"Dockerfile": "FROM busybox AS one\nRUN echo 1 > /one\nFROM one AS two\nRUN echo 2 > /two\nFROM two\nRUN false\n"}
        run_of_two = self.build(files, "--target", "two")
        tree = self.pulled().tree()
        self.assertTrue({"one", "two"} <= set(tree))
        self.assertFalse([name for name in run_of_two.names() if "RUN false" in name])
        self.build(files, "--target", "one")
        self.assertNotIn("two", self.pulled().tree())

    def test_onbuild_runs_in_the_next_build(self):
        self.build({"Dockerfile": "FROM busybox\nONBUILD COPY app.txt /app/\nONBUILD RUN cat /app/app.txt > /seen\n"}, tag="onbuild-base")
        image = self.built({"Dockerfile": f"FROM {self.address}/onbuild-base\n", "app.txt": "triggered\n"})
        self.assertEqual(image.tree()["seen"], file("triggered\n"))

    def test_run_mounts(self):
        image = self.built({"Dockerfile": """\
FROM busybox
RUN --mount=type=bind,source=data,target=/in cat /in/a > /a
RUN --mount=type=cache,target=/cache echo kept > /cache/b
RUN --mount=type=cache,target=/cache cat /cache/b > /b
RUN --mount=type=secret,id=none test ! -e /run/secrets/none
RUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x && ls /scratch > /c
""", "data/a": "bound\n"})
        tree = image.tree()
        self.assertEqual([tree[name] for name in "abc"], [file("bound\n"), file("kept\n"), file("x\n")])
        self.assertNotIn("cache/b", tree)
        self.assertNotIn("scratch/x", tree)

    def test_user_and_shell_of_run(self):
        image = self.built({"Dockerfile": """\
FROM busybox
RUN mkdir /w && chown app /w
USER app
RUN id -u > /w/who && id -g >> /w/who
SHELL ["/bin/sh", "-ec"]
RUN ["/bin/sh", "-c", "echo exec form > /w/form"]
"""})
        self.assertEqual(image.tree()["w/who"], file("1000\n1001\n", owner="1000:1001"))
        self.assertEqual(image.tree()["w/form"].content, b"exec form\n")


class FormatsTest(BuildTestCase):
    def test_oci_is_the_default_and_docker_comes_on_request(self):
        files = {"Dockerfile": "FROM busybox\nRUN echo x > /x\n"}
        for arguments, manifest, layer in (([], OCI_MANIFEST, OCI_LAYER), (["--format", "docker"], DOCKER_MANIFEST, DOCKER_LAYER)):
            with self.subTest(arguments):
                result = self.build(files, *arguments).result
                raw = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.address}/{self.name}"]).stdout)
                self.assertEqual(raw["mediaType"], manifest)
                self.assertEqual(result["media_type"], manifest)
                self.assertEqual(raw["layers"][-1]["mediaType"], layer)

    def test_platform_of_the_host(self):
        files = {"Dockerfile": "FROM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"}
        image = self.built(files, "--platform", "linux/amd64")
        self.assertEqual(image.config["architecture"], "amd64")
        self.assertEqual(image.tree()["arch"].content, b"amd64\n")

    def test_several_names_and_labels(self):
        result = self.build({"Dockerfile": "FROM busybox\n"}, "-t", f"{self.address}/team/other:2", "--label", "a=b", tag="names:1").result
        self.assertEqual(sorted(result["names"]), ["names:1", "team/other:2"])
        for name in ("names:1", "team/other:2"):
            self.assertEqual(self.pulled(name).settings["Labels"], {"a": "b"})

    def test_source_date_epoch_makes_builds_equal(self):
        files = {"Dockerfile": "FROM busybox\nRUN echo x > /x\n"}
        digests = [self.build(files, "--no-cache", env={"SOURCE_DATE_EPOCH": "1700000000"}).digest for _ in range(2)]
        self.assertEqual(digests[0], digests[1])
        self.assertEqual(self.pulled().config["created"], "2023-11-14T22:13:20Z")


class ContextsTest(BuildTestCase):
    FILES = {"Dockerfile": "FROM busybox\nCOPY a.txt /a.txt\n", "a.txt": "a\n"}

    def test_dockerfile_on_standard_input(self):
        self.build("-", stdin="FROM busybox\nRUN echo in > /in\n")
        self.assertEqual(self.pulled().tree()["in"], file("in\n"))

    def test_dockerfile_on_standard_input_with_a_folder(self):
        context = self.context(self.FILES)
        self.build(context, "-f", "-", stdin="FROM busybox\nCOPY a.txt /other\n")
        self.assertEqual(self.pulled().layers[1], {"other": file("a\n")})

    def test_tars_on_standard_input(self):
        context = self.context(self.FILES)
        for mode in ("w", "w:gz", "w:xz"):
            with self.subTest(mode):
                path = self.folder / "context.tar"
                with tarfile.open(path, mode) as tar:
                    tar.add(context, ".")
                with open(path, "rb") as stdin:
                    self.build("-", "--no-cache", stdin=stdin)
                self.assertEqual(self.pulled().layers[1], {"a.txt": file("a\n")})

    def test_git_repository(self):
        work = self.context({"Dockerfile": "FROM busybox\nRUN false\n", "sub/Dockerfile": "FROM busybox\nCOPY . /src/\n", "sub/a.txt": "a\n"})
        bare = self.folder / "app.git"
        git = ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"], ["checkout", "-q", "-b", "topic"]):
            run([*git, *arguments])
        (work / "sub/b.txt").write_text("b\n")
        run([*git, "add", "."])
        run([*git, "commit", "-q", "-m", "second"])
        run(["git", "clone", "-q", "--bare", work, bare])
        self.build(f"file://{bare}#topic:sub")
        self.assertEqual(set(self.pulled().layers[1]), {"src", "src/Dockerfile", "src/a.txt", "src/b.txt"})
        self.build(f"file://{bare}#main:sub")
        self.assertNotIn("src/b.txt", self.pulled().layers[1])

    def test_dockerfile_elsewhere(self):
        context = self.context(self.FILES)
        other = self.folder / "Other"
        other.write_text("FROM busybox\nCOPY a.txt /from-other\n")
        self.build(context, "-f", other)
        self.assertIn("from-other", self.pulled().layers[1])

    def test_addresses_from_flag_and_environment(self):
        context = self.context(self.FILES)
        self.build(context, "--builder", self.cluster.builder.address, env={"STRATA_BUILDER": "127.0.0.1:1"})
        self.assertEqual(self.build(context).exit_code, 0)
        plain = self.cluster.strata("build", "--progress", "plain", "-t", self.name, context)
        self.assertIn("COPY a.txt /a.txt", plain.stderr)
        self.assertIn("CACHED", plain.stderr)
        self.assertIn("sha256:", plain.stdout)


    def test_address_from_the_configuration_file(self):
        config = self.folder / "config"
        config.write_text(f"# of this test\nbuilder = {self.cluster.builder.address}\n")
        environment = {**os.environ, "HOME": str(self.folder), "STRATA_CONFIG": str(config)}
        environment.pop("STRATA_BUILDER", None)
        done = subprocess.run([binary(CLI), "build", "-t", self.name, self.context(self.FILES)], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        config.write_text("bulider = 127.0.0.1:1\n")
        wrong = subprocess.run([binary(CLI), "images"], env=environment, capture_output=True, text=True)
        self.assertEqual(wrong.returncode, 2)
        for part in (str(config), "bulider", "builder"):
            self.assertIn(part, wrong.stderr)

    def test_a_terminal_sees_live_steps(self):
        terminal, other_end = pty.openpty()
        environment = {**os.environ, **self.cluster.environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        context = self.context({"Dockerfile": "FROM busybox\nCOPY a.txt /\nRUN echo seen on the way && sleep 1\n", "a.txt": os.urandom(96 << 20)})
        client = subprocess.Popen([binary(CLI), "build", "-t", self.name, context], env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=other_end)
        os.close(other_end)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed: the client has ended
                break
            if not piece:
                break
            shown += piece
        os.close(terminal)
        digest, _ = client.communicate(timeout=30)
        self.assertEqual(client.returncode, 0, shown)
        self.assertRegex(digest.decode(), r"^sha256:[0-9a-f]{64}\n$")
        text = shown.decode()
        self.assertIn("\033[", text)  # it redraws
        for part in ("COPY a.txt", "RUN echo seen", "seen on the way", f"docker pull {self.address}/{self.name}:latest"):
            self.assertIn(part, text)
        self.assertRegex(text, r"\d\.\ds")
        # Bytes are shown while they move; which transfer a redraw catches depends on how fast the machine is.
        self.assertRegex(text, r"(transferring context|fetching layer \w+|storing layer) \d[\d.]*[kM]?B")


class CacheTest(BuildTestCase):
    FILES = {
        "Dockerfile": """\
FROM busybox AS build
WORKDIR /src
COPY deps.txt .
RUN cat deps.txt > installed && cat /proc/sys/kernel/random/uuid > id
COPY main.txt .
RUN cat installed main.txt > /result
FROM busybox
COPY --from=build /result /result
ENV A=b
CMD ["cat", "/result"]
""", "deps.txt": "deps\n", "main.txt": "main\n"}

    def test_second_build_is_all_cached_and_the_same(self):
        first = self.build(self.FILES, "--no-cache")
        self.assertEqual(set(first.dockerfile_steps().values()), {"done"})
        second = self.build(self.FILES)
        self.assertEqual(set(second.dockerfile_steps().values()), {"cached"})
        self.assertEqual(second.digest, first.digest)
        self.assertEqual((second.result["steps_run"], second.result["steps_cached"]), (0, len(first.dockerfile_steps())))

    def test_an_edit_runs_only_what_depends_on_it(self):
        self.build(self.FILES)
        edited = self.build({**self.FILES, "main.txt": "edited\n"})
        self.assertEqual(edited.states("COPY deps.txt"), ["cached"])
        self.assertEqual(edited.states("RUN cat deps.txt"), ["cached"])
        self.assertEqual(edited.states("COPY main.txt"), ["done"])
        self.assertEqual(edited.states("RUN cat installed"), ["done"])
        self.assertEqual(self.pulled().tree()["result"], file("deps\nedited\n"))

    def test_times_do_not_matter_but_modes_do(self):
        context = self.context(self.FILES)
        first = self.build(context)
        (context / "deps.txt").touch()
        self.assertEqual(self.build(context).digest, first.digest)
        (context / "deps.txt").chmod(0o755)
        self.assertEqual(self.build(context).states("COPY deps.txt"), ["done"])

    def test_no_cache_runs_everything_anew(self):
        self.build(self.FILES)
        again = self.build(self.FILES, "--no-cache")
        self.assertEqual(set(again.dockerfile_steps().values()), {"done"})
        # What it found out is the new truth.
        self.assertEqual(self.build(self.FILES).digest, again.digest)

    def test_a_fresh_builder_reuses_every_step_and_fetches_nothing(self):
        files = {**self.FILES, "Dockerfile": self.FILES["Dockerfile"].replace("ENV A=b", "RUN dd if=/dev/urandom of=/large bs=1M count=8")}
        first = self.build(files)
        self.cluster.replace_builder()
        again = self.build(files)
        self.assertEqual(set(again.dockerfile_steps().values()), {"cached"})
        self.assertEqual(again.digest, first.digest)
        self.assertEqual(again.log(), "")
        snapshots = self.cluster.builder.data / "snapshots"
        self.assertLess(tree_bytes(snapshots), 1 << 20)
        # One more step needs the layers below it, and only then they come.
        more = {**files, "Dockerfile": files["Dockerfile"] + "RUN stat -c %s /large > /size\n"}
        self.assertEqual(self.build(more).states("RUN stat"), ["done"])
        self.assertEqual(self.pulled().tree()["size"], file("8388608\n"))
        self.assertGreater(tree_bytes(snapshots), 8 << 20)

    def test_build_args_decide_only_where_they_are_used(self):
        files = {"Dockerfile": "FROM busybox\nRUN echo before > /before\nARG V=1\nRUN echo $V > /v\n"}
        self.build(files)
        changed = self.build(files, "--build-arg", "V=2")
        self.assertEqual(changed.states("RUN echo before"), ["cached"])
        self.assertEqual(changed.states("RUN echo $V"), ["done"])
        self.assertEqual(self.pulled().tree()["v"], file("2\n"))

    def test_stages_run_at_the_same_time(self):
        meeting = threading.Barrier(2)

        def answer(_path):
            try:
                meeting.wait(60)
            except threading.BrokenBarrierError:
                return 500, b"nobody came"
            return 200, b"met\n"

        server = WebServer(answer)
        self.addCleanup(server.close)
        # Each stage waits for the other one: only stages that really run at once get through.
        image = self.built({"Dockerfile": f"""\
FROM busybox AS left
RUN wget -q -O /left http://{server.address}/left
FROM busybox AS right
RUN wget -q -O /right http://{server.address}/right
FROM busybox
COPY --from=left /left /
COPY --from=right /right /
"""})
        self.assertEqual(image.tree()["left"].content, b"met\n")
        self.assertEqual(image.tree()["right"].content, b"met\n")

    def test_equal_steps_of_two_builds_run_once(self):
        server = WebServer(lambda _path: (200, b"x"))
        self.addCleanup(server.close)
        context = self.context({"Dockerfile": f"FROM busybox\nRUN wget -q -O /x http://{server.address}/x\n"})
        clients = [self.cluster.start_strata("build", "-t", f"{self.name}-{i}", context) for i in range(3)]
        for client in clients:
            _, errors = client.communicate(timeout=120)
            self.assertEqual(client.returncode, 0, errors)
        self.assertEqual(server.requests, ["/x"])


class DockerTest(BuildTestCase):
    def test_docker_pulls_and_runs_it(self):
        for form in ("oci", "docker"):
            with self.subTest(form):
                name = f"{self.address}/team/{form}:1"
                self.build({"Dockerfile": """\
FROM busybox
ENV WHO=docker
COPY --chmod=755 <<'EOF' /bin/hello
#!/bin/sh
echo "hello $WHO as $(id -u) in $PWD: $*"
EOF
WORKDIR /home
USER app
ENTRYPOINT ["hello"]
CMD ["by default"]
"""}, "--format", form, tag=name)
                self.assertEqual(self.docker_run(name), "hello docker as 1000 in /home: by default\n")
                self.assertEqual(self.docker_run(name, "given", "words"), "hello docker as 1000 in /home: given words\n")

    # What a build sees in its last step and what docker sees in the pulled image: everything but what a container brings along.
    LISTING = """\
find / \\( -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf -o -path /etc/hostname -o -path /etc/mtab \
-o -path /.dockerenv \\) -prune -o -print | sort | while IFS= read -r path; do
  if [ -f "$path" ] && [ ! -L "$path" ]; then sum=$(sha256sum < "$path"); else sum=-; fi
  case $path in /|/etc) time=-;; *) time=$(stat -c %Y "$path");; esac  # where containers get mount points
  echo "$path $(stat -c '%N %F %f %u:%g %h %t.%T' "$path") $time $sum"
done 2> /dev/null
"""

    def test_docker_sees_the_tree_that_the_build_saw(self):
        dockerfile = r"""
FROM busybox
COPY --chmod=755 list /bin/list
RUN mkdir -p /a/b/c /moved/deep /type/dir /type/was-dir/x && echo 1 > /a/b/c/one && echo 2 > /moved/deep/two && echo 3 > /type/file && ln /a/b/c/one /a/hard && ln -s /nowhere /dangling && ln -s a/b /to-b && mkfifo /fifo && touch /type/was-dir/x/y
RUN mv /moved /renamed && mv /a/b/c/one /a/b/c/uno && rm -rf /type/file /type/was-dir && mkdir /type/file && ln -s file /type/was-dir
RUN rm -rf /a/b && mkdir /a/b && echo new > /a/b/new && chmod 0 /a/b/new && chmod 1777 /a && chown -R 12:34 /renamed && echo more >> /renamed/deep/two
RUN mkdir '/odd names' && touch "/odd names/$(printf 'line\nbreak')" '/odd names/-rf' '/odd names/*' "/odd names/$(printf 'caf\351')" /.hidden '/odd names/.wharf'
RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=20000000 2> /dev/null && touch -d '2001-02-03 04:05:06' /sparse && chmod 6711 /sparse
RUN rm /a/hard && touch /a/hard && mknod /null c 1 3 && p=/deep && for i in $(seq 30); do p=$p/$(printf '%0100d' $i); done && mkdir -p $p && touch $p/leaf
WORKDIR /srv/app/dir
COPY --chown=5:6 tree/ /to-b/
ADD --chmod=700 tree /added/
RUN rm -rf /renamed/deep && mkdir -p /renamed/deep && touch /renamed/deep/three && true
"""
        files = {"list": "#!/bin/sh\n" + self.LISTING, "tree/x/y/z": ("z\n", 0o4755), "tree/x/link": Path("../nowhere"), "tree/empty": None}
        seen = self.build({**files, "Dockerfile": dockerfile + "RUN echo BEGIN; list\n"}).log().partition("BEGIN\n")[2]
        self.assertGreater(len(seen.splitlines()), 100)
        self.assert_same_lines(self.docker_run(f"{self.address}/{self.name}", "list"), seen)
        # A builder that has only the layers sees the same.
        self.cluster.replace_builder()
        again = self.build({**files, "Dockerfile": dockerfile + "RUN echo again; echo BEGIN; list\n"})
        self.assertEqual(set(list(again.dockerfile_steps().values())[:-1]), {"cached"})
        self.assert_same_lines(again.log().partition("BEGIN\n")[2], seen)

    def assert_same_lines(self, got, wanted):
        got, wanted = set(got.splitlines()), set(wanted.splitlines())
        self.assertEqual((sorted(got - wanted), sorted(wanted - got)), ([], []))

    def test_podman_pulls_and_runs_it(self):
        self.build({"Dockerfile": 'FROM busybox\nRUN echo built > /f\nCMD ["cat", "/f"]\n'})
        run_folder = self.short_folder()
        done = run(["podman", "--root", self.folder / "podman", "--runroot", run_folder / "r", "--storage-driver", "vfs",
                    "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc", "run", "--rm", "--tls-verify=false",
                    "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", f"{self.address}/{self.name}"])
        self.assertEqual(done.stdout, "built\n")


if __name__ == "__main__":
    unittest.main()

"""What people do with images from the command line: list, look, name, remove, archive, import, and copy between registries."""

import tarfile
import unittest

from cluster import BuildTestCase, PulledImage, file
from harness import Stack, run
from images import make_busybox_oci_layout


class ImagesTest(BuildTestCase):
    def strata(self, *arguments, **options):
        return self.cluster.strata(*arguments, **options)

    def build_app(self, name):
        """An image of this name alone: no other test's has its digest."""
        return self.build({"Dockerfile": f'FROM busybox\nRUN echo app > /app\nLABEL of={name}\nCMD ["cat", "/app"]\n'}, tag=name)

    def listed(self, *arguments):
        return {f"{image['repository']}:{image['tag']}": image for image in self.cluster.strata_json("images", *arguments)}

    def test_images_lists_what_was_built(self):
        digest = self.build_app("listed/app:1").digest
        images = self.listed()
        self.assertIn("busybox:latest", images)
        self.assertEqual(images["listed/app:1"]["manifest_digest"], digest)
        self.assertEqual(images["listed/app:1"]["platforms"], ["linux/amd64"])
        self.assertGreater(images["listed/app:1"]["size_bytes"], 100_000)
        self.assertEqual(list(self.listed("listed/*")), ["listed/app:1"])
        self.assertEqual(self.listed("no-such-*"), {})
        table = self.strata("images").stdout.splitlines()
        self.assertEqual(table[0].split()[:2], ["REPOSITORY", "TAG"])
        self.assertTrue(any(line.split()[:2] == ["listed/app", "1"] for line in table), table)

    def test_inspect_shows_manifest_and_config(self):
        result = self.build_app("inspected:1").result
        shown = self.cluster.strata_json("inspect", "inspected:1")[0]
        self.assertEqual((shown["manifest_digest"], shown["config_digest"]), (result["digest"], result["config_digest"]))
        self.assertEqual(shown["names"], ["inspected:1"])
        self.assertEqual(shown["config"]["config"]["Cmd"], ["cat", "/app"])
        self.assertEqual(len(shown["layers"]), len(shown["manifest"]["layers"]))
        image = self.pulled("inspected:1")
        self.assertEqual(self.strata("inspect", "--raw", "manifest", "inspected:1").stdout, (image.folder / "manifest.json").read_text())
        # By id, by digest and in words as well.
        by_id = self.cluster.strata_json("inspect", result["config_digest"].removeprefix("sha256:")[:12])[0]
        self.assertEqual(by_id["manifest_digest"], result["digest"])
        self.assertIn("cat /app", self.strata("inspect", f"inspected@{result['digest']}").stdout)

    def test_history_has_a_row_for_each_step(self):
        self.build_app("remembered:1")
        rows = self.cluster.strata_json("history", "remembered:1")
        self.assertIn("CMD", rows[0]["created_by"])
        ran = next(row for row in rows if "echo app" in row["created_by"])
        self.assertIn(ran["layer"], [layer["digest"] for layer in self.pulled("remembered:1").manifest["layers"]])
        self.assertIn("echo app", self.strata("history", "remembered:1").stdout)

    def test_tag_names_without_copying(self):
        digest = self.build_app("first:1").digest
        blobs = self.cluster.store_metric("blobs")
        self.assertEqual(self.strata("tag", "first:1", "second/name:2").stdout.strip(), digest)
        self.assertEqual(self.cluster.store_metric("blobs"), blobs)
        self.assertEqual(self.pulled("second/name:2").tree()["app"], file("app\n"))
        self.assertEqual(sorted(self.cluster.strata_json("inspect", "first:1")[0]["names"]), ["first:1", "second/name:2"])

    def test_rmi_removes_names_and_with_the_last_the_image(self):
        digest = self.build_app("doomed:1").digest
        self.strata("tag", "doomed:1", "doomed:2")
        removed = self.cluster.strata_json("rmi", "doomed:1")
        self.assertEqual((removed["untagged"], removed["deleted"]), (["doomed:1"], []))
        self.pulled("doomed:2")
        removed = self.cluster.strata_json("rmi", "doomed:2")
        self.assertEqual((removed["untagged"], removed["deleted"]), (["doomed:2"], [digest]))
        self.assertEqual(self.listed("doomed"), {})
        gone = self.strata("rmi", "doomed:2", check=False)
        self.assertEqual(gone.returncode, 4)
        self.assertIn("doomed:2", gone.stderr)
        self.assertIn("strata images", gone.stderr)
        missing = run(["skopeo", "inspect", "--tls-verify=false", f"docker://{self.address}/doomed:2"], check=False)
        self.assertNotEqual(missing.returncode, 0)

    def test_saved_images_load_in_docker_skopeo_and_strata(self):
        digest = self.build_app("saved:1").digest
        archive = self.folder / "saved.tar"
        self.strata("save", "-o", archive, "saved:1", "busybox:latest")
        with tarfile.open(archive) as tar:
            self.assertTrue({"manifest.json", "oci-layout", "index.json"} <= {name.removeprefix("./") for name in tar.getnames()})
        daemon = self.dockerd()
        self.assertIn("saved:1", daemon.docker("load", "-i", archive).stdout)
        self.assertEqual(daemon.docker("run", "--rm", "--network", "none", "saved:1").stdout, "app\n")
        out = self.folder / "by-skopeo"
        run(["skopeo", "copy", f"docker-archive:{archive}:saved:1", f"dir:{out}"])
        self.assertEqual(PulledImage(out).tree()["app"], file("app\n"))
        # Back again after it was removed: the same image.
        self.strata("rmi", "saved:1")
        self.assertEqual(sorted(self.cluster.strata_json("load", "-i", archive)["loaded"]), ["busybox:latest", "saved:1"])
        self.assertEqual(self.listed("saved")["saved:1"]["manifest_digest"], digest)
        self.assertEqual(self.pulled("saved:1").tree()["app"], file("app\n"))

    def test_load_takes_what_docker_saves(self):
        daemon = self.dockerd()
        # An image of docker's own making.
        daemon.docker("import", "-c", 'CMD ["cat", "/etc/group"]', self.rootfs, "dockers:1")
        archive = self.folder / "dockers.tar"
        daemon.docker("save", "-o", archive, "dockers:1")
        with open(archive, "rb") as stdin:
            self.assertEqual(self.strata("load", stdin=stdin).stdout.split(), ["dockers:1"])
        self.assertEqual(self.pulled("dockers:1").settings["Cmd"], ["cat", "/etc/group"])
        self.build({"Dockerfile": "FROM dockers:1\nENV PATH=/bin\nRUN cat /etc/group > /copied\n"})
        self.assertIn(b"team", self.pulled().tree()["copied"].content)

    def test_import_takes_a_compressed_rootfs(self):
        packed = self.folder / "rootfs.tar.gz"
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(self.context({"etc/motd": "imported\n"}, "root"), ".")
        imported = self.cluster.strata_json("import", "-c", "ENV A=b", "-c", "WORKDIR /etc", "-m", "a remark", packed, "imported:1")
        self.assertEqual(imported["name"], "imported:1")
        image = self.pulled("imported:1")
        self.assertEqual(image.tree()["etc/motd"], file("imported\n"))
        self.assertEqual((image.settings["Env"][-1], image.settings["WorkingDir"]), ("A=b", "/etc"))
        self.assertEqual(image.config["rootfs"]["diff_ids"], image.diff_ids())
        with open(packed, "rb") as stdin:
            self.strata("import", "-", "imported:2", stdin=stdin)
        self.assertEqual(self.pulled("imported:2").tree()["etc/motd"], file("imported\n"))

    def test_pull_and_push_copy_between_registries(self):
        (self.scratch / "elsewhere").mkdir()
        elsewhere = self.launch(Stack(self.scratch / "elsewhere"))
        layout = make_busybox_oci_layout(self.folder / "layout", files={"/where": "elsewhere\n"})
        run(["skopeo", "copy", "--dest-tls-verify=false", layout.reference, f"docker://{elsewhere.address}/far/app:1"])
        name = f"{elsewhere.address}/far/app:1"
        self.assertEqual(self.cluster.strata_json("pull", "--quiet", name)["digest"], layout.manifest_digest)
        self.assertIn(name, self.listed())
        # The base is there already: building FROM it works with the other registry gone.
        self.strata("tag", name, "near/app:2")
        digest = self.build({"Dockerfile": f"FROM {name}\nRUN echo on top > /top\n"}, tag="near/app:3").digest
        pushed = self.cluster.strata_json("push", "--quiet", "near/app:3", f"{elsewhere.address}/far/app:3")
        self.assertEqual(pushed["digest"], digest)
        out = self.folder / "back"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{elsewhere.address}/far/app:3", f"dir:{out}"])
        tree = PulledImage(out).tree()
        self.assertEqual((tree["where"].content, tree["top"].content), (b"elsewhere\n", b"on top\n"))

    def test_build_pushes_the_names_of_another_registry(self):
        (self.scratch / "far").mkdir()
        far = self.launch(Stack(self.scratch / "far"))
        files = {"Dockerfile": "FROM busybox\nRUN echo pushed > /pushed\n"}
        digest = self.build(files, "--push", tag=f"{far.address}/team/app:1").digest
        out = self.folder / "pushed"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{far.address}/team/app:1", f"dir:{out}"])
        self.assertEqual(PulledImage(out).tree()["pushed"].content, b"pushed\n")
        self.assertIn(f"{far.address}/team/app:1", self.listed())
        self.assertTrue(digest.startswith("sha256:"))
        failed = self.build(files, "--push", tag="nowhere:1", check=False)
        self.assertEqual(failed.exit_code, 5)
        self.assertIn("--push needs a name with another registry's host", failed.message)

    def test_a_base_comes_from_another_registry(self):
        (self.scratch / "upstream").mkdir()
        upstream = self.launch(Stack(self.scratch / "upstream"))
        layout = make_busybox_oci_layout(self.folder / "layout", files={"/where": "upstream\n"})
        run(["skopeo", "copy", "--dest-tls-verify=false", layout.reference, f"docker://{upstream.address}/base:1"])
        files = {"Dockerfile": f"FROM {upstream.address}/base:1\nRUN cat /where > /copied\n"}
        self.assertEqual(self.built(files).tree()["copied"], file("upstream\n"))
        upstream.stop()
        self.assertEqual(set(self.build(files).dockerfile_steps().values()), {"cached"})

    def test_every_command_has_help(self):
        for command in ("build", "images", "inspect", "history", "tag", "rmi", "import", "save", "load", "pull", "push", "version"):
            with self.subTest(command):
                self.assertIn(f"strata {command}", self.strata(command, "--help").stdout)
        self.assertEqual(self.strata("buidl", check=False).returncode, 2)
        self.assertIn('"build"', self.strata("buidl", check=False).stderr)


if __name__ == "__main__":
    unittest.main()

"""Looking after a store, as docs/operations/store.md tells it: each command of that document runs here as it is written there."""

import json
import os
import re
import shlex
import threading
import unittest
from pathlib import Path

from harness import CLI, REPOSITORY, STORE, CommandFailed, Http, ScratchTestCase, Stack, binary, document_commands, run, wait_until
from images import make_busybox_oci_layout

DOCUMENT = REPOSITORY / "docs" / "operations" / "store.md"
MIB = 1 << 20


class UpkeepStack(Stack):
    """A store that may make backups, and scrubs fast."""

    def __init__(self, scratch):
        super().__init__(scratch)
        self.backups = self.scratch / "backups"
        self.store.command += ["--backup-dir", str(self.backups), "--scrub-rate", "1GiB", "--gc-interval", "1s"]


class UpkeepTest(ScratchTestCase):
    def setUp(self):
        folder = self.scratch / self._testMethodName
        folder.mkdir()
        self.stack = UpkeepStack(folder)
        self.addCleanup(self.stack.stop)
        self.stack.start()

    def strata(self, *arguments, check=True):
        return run([binary(CLI), "store", *arguments], check=check, env={"STRATA_STORE": f"127.0.0.1:{self.stack.store_port}"})

    def strata_json(self, *arguments):
        return json.loads(self.strata(*arguments, "--output", "json").stdout)

    def push(self, name, seed, payload_bytes=2 * MIB):
        image = make_busybox_oci_layout(self.stack.scratch / f"image-{seed}", payload_bytes=payload_bytes, seed=seed)
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, f"docker://{self.stack.address}/{name}"])
        return image

    def pull(self, name, address=None):
        out = self.stack.scratch / f"pulled-{name.replace('/', '-').replace(':', '-')}-{len(list(self.stack.scratch.glob('pulled-*')))}"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{address or self.stack.address}/{name}", f"dir:{out}"])

    def largest_extent(self):
        return max((path for path in (self.stack.data / "extents").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)

    def flip(self, path, at=1000):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))

    def restart_on(self, data):
        self.stack.store.stop()
        command = self.stack.store.command
        command[command.index("--data") + 1] = str(data)
        self.stack.restart(self.stack.store)

    def test_document_commands_work_as_written(self):
        """Every `strata store` and `strata-store` line of the document, in its order, with only folders and addresses replaced."""
        self.push("app:1", 1)
        text = DOCUMENT.read_text()
        lines = document_commands(DOCUMENT, "strata ", "strata-store ")
        self.assertGreater(len(lines), 10)
        cron = re.search(r"^.* root  (strata .*?) >", text, re.MULTILINE).group(1)
        restored = self.stack.scratch / "store-new"
        for line in [cron, *lines]:
            words = shlex.split(line.replace("/backup/strata", str(self.stack.backups)).replace("/var/lib/strata/store-new", str(restored)))
            with self.subTest(line):
                if words[0] == "strata":
                    self.assertEqual(words[1], "store")
                    self.strata(*words[2:])
                elif words[1].startswith("--"):
                    continue  # starts a store: what follows in the document is tried below
                else:
                    run([binary(STORE), *words[1:]])
        self.restart_on(restored)
        self.pull("app:1")

    def test_stat_tells_how_the_store_is(self):
        self.push("app:1", 1)
        stat = self.strata_json("stat")
        self.assertEqual((stat["tags"], stat["manifests"], stat["quarantined_blobs"], stat["open_uploads"]), (1, 1, 0, 0))
        self.assertGreater(stat["disk_bytes"], stat["disk_free_bytes"])
        self.assertTrue(stat["scrub"]["is_enabled"])
        self.assertIn("disk free for uploads", self.strata("stat").stdout)
        away = run([binary(CLI), "store", "stat", "--store", "127.0.0.1:1"], check=False)
        self.assertEqual(away.returncode, 3)
        self.assertIn("store at 127.0.0.1:1 is not reachable", away.stderr)

    def test_damage_is_found_named_and_healed(self):
        image = self.push("team/app:1", 1)
        self.assertIn("sound", self.strata("verify", "--deep").stdout)
        extent = self.largest_extent()
        self.flip(extent)
        self.assertEqual(self.strata("verify").returncode, 0)  # without reading there is nothing to see
        done = self.strata("verify", "--deep", check=False)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("blob damaged: sha256:", done.stdout)
        blob = self.strata_json("quarantine", "ls")[0]
        self.assertIn(blob["digest"], image.layer_digests)
        self.assertEqual(blob["repositories"], ["team/app"])
        self.assertTrue(blob["named_by"][0].endswith(" 1"), blob)
        self.assertIn("needed by: team/app@", self.strata("quarantine", "ls").stdout)
        self.assertEqual(self.strata("quarantine", "recheck", blob["digest"], check=False).returncode, 6)
        with self.assertRaises(CommandFailed):
            self.pull("team/app:1")
        with self.subTest("the disk was to blame, and is well again"):
            self.flip(extent)
            self.assertIn("sound, served again", self.strata("quarantine", "recheck", "--all").stdout)
            self.pull("team/app:1")
        with self.subTest("pushed again"):
            self.flip(extent)
            self.strata("verify", "--deep", check=False)
            self.push("team/app:1", 1)
            self.pull("team/app:1")
            self.assertEqual(self.strata_json("quarantine", "ls"), [])

    def test_the_scrubber_finds_damage_by_itself(self):
        # Its first cycle goes through a store that is damaged already.
        self.stack.store.stop()
        rate = self.stack.store.command.index("--scrub-rate") + 1
        self.stack.store.command[rate] = "0"
        self.restart_on(self.stack.scratch / "another")
        self.assertFalse(self.strata_json("stat")["scrub"]["is_enabled"])
        self.push("app:1", 1)
        self.stack.store.stop()
        self.flip(max((path for path in (self.stack.scratch / "another" / "extents").rglob("*") if path.is_file()),
                      key=lambda path: path.stat().st_size))
        self.stack.store.command[rate] = "1GiB"
        self.stack.restart(self.stack.store)
        wait_until(lambda: self.strata_json("stat")["quarantined_blobs"] == 1, 20, "the damage to be found")
        self.assertIn("blob damaged", self.stack.store.log_path.read_text())
        metrics = Http(f"127.0.0.1:{self.stack.store.admin_port}").request("GET", "/metrics").content.decode()
        self.assertRegex(metrics, r"(?m)^strata_store_quarantines_total 1$")

    def test_a_backup_under_load_restores_to_whole_images(self):
        images = {}
        stop = threading.Event()

        def push_on():
            seed = 10
            while not stop.is_set():
                name = f"load/app{seed % 3}:{seed}"
                self.push(name, seed)
                images[name] = seed
                seed += 1

        writer = threading.Thread(target=push_on)
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(stop.set)
        wait_until(lambda: len(images) >= 2, 60, "some pushes")
        self.strata("backup", "nightly", "--keep", "2")
        wait_until(lambda: len(images) >= 4, 60, "more pushes")
        before = set(images)
        done = self.strata("backup", "nightly", "--keep", "2")
        folder = done.stdout.strip()
        self.assertEqual(Path(folder).parent, self.stack.backups / "nightly")
        self.assertEqual(len(list((self.stack.backups / "nightly").iterdir())), 2)
        stop.set()
        writer.join()
        restored = self.stack.scratch / "restored"
        self.assertIn("sound", run([binary(STORE), "restore", "--from", folder, "--data", restored]).stdout)
        again = run([binary(STORE), "restore", "--from", folder, "--data", restored], check=False)
        self.assertIn("is not empty", again.stderr)
        self.restart_on(restored)
        tags = {f"{name}:{tag}" for name in self.repositories() for tag in
                Http(self.stack.address).get_json(f"/v2/{name}/tags/list")["tags"]}
        self.assertLessEqual(before, tags)
        for name in tags:
            self.pull(name)
        self.assertIn("sound", self.strata("verify", "--deep").stdout)

    def repositories(self):
        return Http(self.stack.address).get_json("/v2/_catalog")["repositories"]

    def test_backups_stay_where_they_belong(self):
        for name in ("../out", "/tmp/strata-out", ".x", "a/b"):
            done = self.strata("backup", name, check=False)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("a backup cannot be called", done.stderr)
        self.assertFalse(os.path.exists("/tmp/strata-out"))
        self.assertEqual(self.strata("backup", check=False).returncode, 2)

    def test_a_store_that_runs_is_not_verified_from_outside(self):
        done = run([binary(STORE), "verify", "--data", self.stack.data], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("strata store verify", done.stderr)
        self.stack.store.stop()
        self.assertIn("sound", run([binary(STORE), "verify", "--deep", "--data", self.stack.data]).stdout)
        self.assertEqual(run([binary(STORE), "verify", "--data", self.scratch / "nothing"], check=False).returncode, 4)

    def test_uploads_are_listed_and_ended(self):
        response = Http(self.stack.address).request("POST", "/v2/app/blobs/uploads/", headers={"Content-Length": "0"})
        self.assertEqual(response.status, 202)
        upload = self.strata_json("uploads", "ls")[0]
        self.assertEqual(upload["repository"], "app")
        self.strata("uploads", "cancel", "app", upload["upload_id"])
        self.assertEqual(self.strata_json("uploads", "ls"), [])
        self.assertEqual(self.strata("uploads", "cancel", "app", upload["upload_id"], check=False).returncode, 4)


if __name__ == "__main__":
    unittest.main()

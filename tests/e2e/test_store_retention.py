"""Retention rules, as docs/operations/retention.md tells of them: its commands run here as they are written there, in their order."""

import json
import shlex
import unittest

from harness import CLI, REPOSITORY, Http, ScratchTestCase, Stack, binary, document_commands, run, wait_until
from images import make_busybox_oci_layout

DOCUMENT = REPOSITORY / "docs" / "operations" / "retention.md"
APPLY_SECONDS = 20  # well below the collector's interval of a minute: rules have an interval of their own


class RetentionTest(ScratchTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack = Stack(cls.scratch)
        cls.stack.store.command += ["--retention-interval", "1s"]
        cls.launch(cls.stack)

    def setUp(self):
        for _ in self.strata_json("retention", "ls"):
            self.strata("retention", "rm", "1")

    def strata(self, *arguments, check=True):
        return run([binary(CLI), "store", *arguments], check=check, env={"STRATA_STORE": f"127.0.0.1:{self.stack.store_port}"})

    def strata_json(self, *arguments):
        return json.loads(self.strata(*arguments, "--output", "json").stdout)

    def push(self, name, seed):
        """Pushes an image that no other seed gives, and returns its digest."""
        image = make_busybox_oci_layout(self.scratch / f"image-{seed}", seed=seed, files={"seed": str(seed)})
        run(["skopeo", "copy", "--dest-tls-verify=false", image.reference, f"docker://{self.stack.address}/{name}"])
        return image.manifest_digest

    def tags(self, repository):
        return Http(self.stack.address).get_json(f"/v2/{repository}/tags/list")["tags"]

    def run_as_written(self, line):
        words = shlex.split(line)
        self.assertEqual(words[:2], ["strata", "store"], line)
        return self.strata(*words[2:]).stdout

    def test_the_document_as_written(self):
        self.push("team/app:v1.2", 9)
        digests = {tag: self.push(f"team/app:{tag}", seed) for seed, tag in enumerate(("pr-1", "pr-2", "pr-3"), 1)}
        *lines, copy = document_commands(DOCUMENT, "strata ", "skopeo ")
        *lines, protect = lines
        self.assertGreaterEqual(len(lines), 11)
        printed = {}
        for line in lines:
            with self.subTest(line):
                printed[line] = self.run_as_written(line)
                if "pr-*" in line and "--dry-run" in line:
                    self.assertEqual(self.tags("team/app"), ["pr-1", "pr-2", "pr-3", "v1.2"])
                    self.assertRegex(printed[line], rf"(?m)^2 +team/app +pr-1 +{digests['pr-1']}$")
                    self.assertNotRegex(printed[line], r"pr-[23]")
                    self.assertIn("Would remove 1 tags and 1 manifests; at least ", printed[line])
        wait_until(lambda: self.tags("team/app") == ["pr-2", "pr-3", "v1.2"], APPLY_SECONDS, "the rules to be applied")
        history = self.strata_json("tag-history", "team/app:pr-1")
        self.assertEqual([entry["change"] for entry in history], ["retention", "push"])
        self.assertEqual([entry["digest"] for entry in history], ["", digests["pr-1"]])
        rules = self.strata_json("retention", "ls")
        self.assertEqual([(rule["repositories"], rule["tags"]) for rule in rules], [("**", "v*"), ("team/*", "pr-*"), ("**", "")])
        self.assertEqual(self.strata_json("retention", "plan")["tags_removed"], 0)
        with self.subTest("going back"):
            self.run_as_written(protect)
            run(["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
                 *shlex.split(copy.replace("registry.example", self.stack.address).replace("sha256:...", digests["pr-1"]))[2:]])
            history = self.strata_json("tag-history", "team/app:pr-1")
            self.assertEqual((history[0]["change"], history[0]["digest"]), ("push", digests["pr-1"]))
            self.assertEqual(self.strata_json("retention", "plan")["tags_removed"], 0)
            self.assertEqual(self.tags("team/app"), ["pr-1", "pr-2", "pr-3", "v1.2"])

    def test_rules_outlive_the_store_and_without_them_nothing_goes(self):
        for seed in (21, 22):
            self.push(f"other/app:{seed}", seed)
        trial = ["--repositories", "other/*", "--tags", "*", "--keep-last", "1"]
        self.assertEqual(self.strata_json("retention", "set", *trial, "--dry-run")["removed"][0]["tag"], "21")
        self.strata("retention", "set", "--repositories", "other/*", "--tags", "21", "--protect")
        self.strata("retention", "set", *trial)
        before = self.strata_json("retention", "ls")
        self.stack.store.kill9()
        self.stack.restart(self.stack.store)
        self.assertEqual(self.strata_json("retention", "ls"), before)
        plan = self.strata_json("retention", "rm", "1", "--dry-run")
        self.assertEqual([(item["repository"], item["tag"], item["rule"]) for item in plan["removed"]], [("other/app", "21", 1)])
        self.assertEqual(self.tags("other/app"), ["21", "22"])
        self.strata("retention", "rm", "--repositories", "other/*", "--tags", "21")
        wait_until(lambda: self.tags("other/app") == ["22"], APPLY_SECONDS, "the rules to be applied")

    def test_mistakes_are_told(self):
        for arguments, code, message in (
            (["set", "--repositories", "**", "--keep-last", "1"], 2, 'need a pattern of tags, "*" for all'),
            (["set", "--repositories", "**", "--tags", "*", "--keep-younger", "1s"], 2, "keep_younger is 1s; 1m to 100 years are taken"),
            (["set", "--repositories", "ä", "--tags", "*", "--protect"], 1, "not ASCII"),
            (["rm", "99"], 4, "there is no retention rule 99"),
            (["plan", "--repository", "Not/A/Name"], 1, "Not/A/Name"),
        ):
            with self.subTest(arguments):
                done = self.strata("retention", *arguments, check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()

// Manifests, tags, cache records, collection.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/oci/media_type.h"
#include "tests/crash/worker.h"

namespace strata::crash {

using enum absl::StatusCode;
using blobstore::ManifestReference;

namespace {

constexpr size_t kMaxManifests = 40;  // a repository; then fewer are pushed than deleted

std::string DescriptorJson(absl::string_view media_type, const Digest& digest, size_t size) {
  return absl::StrCat(R"({"mediaType":")", media_type, R"(","digest":")", digest.ToString(), R"(","size":)", size, "}");
}

}  // namespace

std::vector<std::string> Worker::ManifestsThatMayBe(const std::string& repository) {
  std::vector<std::string> digests;
  const std::string prefix = ManifestKey(repository, "");
  for (const std::string& key : model_.KeysWith(prefix)) digests.push_back(key.substr(prefix.size()));
  return digests;
}

void Worker::Put(const std::string& repository, ManifestFacts facts) {
  facts.digest = Digest::Of(facts.content);
  model_.Remember(facts);
  const std::string digest = facts.digest.ToString();
  const std::string about = ManifestKey(repository, digest);
  blobstore::PutManifestOptions options;
  if (OneIn(2)) options.expected_digest = facts.digest;
  for (uint64_t i = Below(3); i > 0; --i) options.tags.push_back(AnyTag());
  std::vector<std::pair<std::string, std::string>> writes = {{about, kPresent}};
  for (const std::string& tag : std::set<std::string>(options.tags.begin(), options.tags.end())) {
    writes.emplace_back(TagKey(repository, tag), digest);
  }
  bool is_complete = true;
  bool is_hopeless = false;
  for (const int key : facts.blobs) {
    is_complete = is_complete && IsSurelyLinked(repository, key);
    is_hopeless = is_hopeless || model_.Look(LinkKey(repository, content_.DigestOf(key).ToString())).Is(kAbsent);
  }
  for (const std::string& child : facts.children) {
    is_complete = is_complete && IsSurelyPushed(repository, child);
    is_hopeless = is_hopeless || model_.Look(ManifestKey(repository, child)).Is(kAbsent);
  }
  model_.FollowSubject(repository, facts);
  Change change(model_, std::move(writes), absl::StrCat("put ", digest.substr(0, 19), " tags ", absl::StrJoin(options.tags, ",")));
  const auto put = stores_.refs.PutManifest(context_, repository, facts.media_type, facts.content, options);
  const Outcome outcome = Judge(put.status(), {kFailedPrecondition}, about, "PutManifest");
  change.End(outcome, put.status().message());
  if (outcome == Outcome::kDone && put->digest != facts.digest) model_.Fail(about, "was stored as " + put->digest.ToString());
  if (!IsOwn(repository)) return;
  if (outcome == Outcome::kDone && is_hopeless) model_.Fail(about, "was accepted although the repository lacks what it names");
  if (outcome == Outcome::kRefused && absl::IsFailedPrecondition(put.status()) && is_complete) {
    model_.Fail(about, "was refused although everything it names is there: " + put.status().ToString());
  }
}

void Worker::PutImage() {
  const std::string repository = AnyRepository();
  const std::vector<int> linked = LinkedContent(repository);
  const std::vector<std::string> manifests = ManifestsThatMayBe(repository);
  if (linked.empty()) return UploadWhole();
  if (manifests.size() > kMaxManifests) return DeleteManifest();
  ManifestFacts facts;
  facts.media_type = oci::kOciManifest;
  const int config = AnyOf(linked);
  facts.blobs.push_back(config);
  std::vector<std::string> layers;
  for (uint64_t i = 1 + Below(4); i > 0; --i) {
    const int layer = AnyOf(linked);
    layers.push_back(DescriptorJson(oci::kOciLayerGzip, content_.DigestOf(layer), content_.SizeOf(layer)));
    if (std::find(facts.blobs.begin(), facts.blobs.end(), layer) == facts.blobs.end()) facts.blobs.push_back(layer);
  }
  std::string subject;
  if (!manifests.empty() && OneIn(6)) {
    facts.subject = AnyOf(manifests);
    subject = absl::StrCat(R"(,"subject":)",
                           DescriptorJson(oci::kOciManifest, *Digest::Parse(facts.subject), model_.Manifest(facts.subject).content.size()));
  }
  facts.content = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", oci::kOciManifest, R"(","config":)",
                               DescriptorJson(oci::kOciConfig, content_.DigestOf(config), content_.SizeOf(config)), R"(,"layers":[)",
                               absl::StrJoin(layers, ","), R"(],"annotations":{"n":")", Below(4), R"("})", subject, "}");
  Put(repository, std::move(facts));
}

void Worker::PutIndex() {
  const std::string repository = AnyRepository();
  std::vector<std::string> images = ManifestsThatMayBe(repository);
  std::erase_if(images, [&](const std::string& digest) { return model_.Manifest(digest).media_type != oci::kOciManifest; });
  if (images.empty()) return;
  ManifestFacts facts;
  facts.media_type = oci::kOciIndex;
  std::vector<std::string> list;
  for (uint64_t i = 1 + Below(3); i > 0; --i) {
    const std::string& child = AnyOf(images);
    if (std::find(facts.children.begin(), facts.children.end(), child) != facts.children.end()) continue;
    facts.children.push_back(child);
    list.push_back(DescriptorJson(oci::kOciManifest, *Digest::Parse(child), model_.Manifest(child).content.size()));
  }
  facts.content = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", oci::kOciIndex, R"(","manifests":[)",
                               absl::StrJoin(list, ","), "]}");
  Put(repository, std::move(facts));
}

void Worker::PutImageInVain() {
  const std::string repository = AnyRepository();
  const Digest missing = content_.NobodysDigest(++serial_);
  const std::string content = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", oci::kOciManifest, R"(","config":)",
                                           DescriptorJson(oci::kOciConfig, missing, 5), R"(,"layers":[]})");
  const std::string about = ManifestKey(repository, Digest::Of(content).ToString());
  const auto put = stores_.refs.PutManifest(context_, repository, oci::kOciManifest, content, {});
  if (Judge(put.status(), {kFailedPrecondition}, about, "PutManifest") == Outcome::kDone) {
    model_.Fail(about, "was accepted although nobody has the blob that it names");
  }
}

void Worker::SetTag() {
  const std::string repository = AnyRepository();
  const std::vector<std::string> manifests = ManifestsThatMayBe(repository);
  if (manifests.empty()) return PutImage();
  const std::string digest = AnyOf(manifests);
  const std::string about = TagKey(repository, AnyTag());
  const std::string tag = about.substr(about.rfind(' ') + 1);
  const Model::View before = model_.Look(about);
  const bool is_manifest_there = IsSurelyPushed(repository, digest);
  std::optional<Digest> expected;
  if (OneIn(2)) {
    const std::string current = *before.values.begin();
    expected = *Digest::Parse(current.empty() || OneIn(3) ? AnyOf(manifests) : current);
  }
  Change change(model_, {{about, digest}},
                absl::StrCat("set to ", digest.substr(0, 19), expected ? " if it is " + expected->ToString().substr(0, 19) : ""));
  const absl::Status status = stores_.refs.SetTag(context_, repository, tag, *Digest::Parse(digest), expected);
  const Outcome outcome = Judge(status, {kNotFound}, about, "SetTag");
  change.End(outcome, status.message());
  if (!IsOwn(repository)) return;
  if (outcome == Outcome::kDone && expected && !before.MayBe(expected->ToString())) {
    model_.Fail(about, absl::StrCat("was switched although it cannot have been ", expected->ToString()));
  }
  if (outcome != Outcome::kRefused) return;
  if (absl::IsNotFound(status) && is_manifest_there) model_.Fail(about, "SetTag: " + status.ToString());
  if (absl::IsAborted(status) && absl::StrContains(status.message(), "points to") && (!expected || before.Is(expected->ToString()))) {
    model_.Fail(about, "SetTag: " + status.ToString());
  }
}

void Worker::DeleteTag() {
  const std::string repository = AnyRepository();
  const std::string tag = AnyTag();
  const std::string about = TagKey(repository, tag);
  const Model::View before = model_.Look(about);
  Change change(model_, {{about, kAbsent}}, "delete");
  const auto deleted = stores_.refs.DeleteTag(context_, repository, tag);
  const Outcome outcome = Judge(deleted.status(), {kNotFound}, about, "DeleteTag");
  change.End(outcome, deleted.status().message());
  if (!IsOwn(repository)) return;
  if (outcome == Outcome::kDone && !before.MayBe(deleted->ToString())) {
    model_.Fail(about, absl::StrCat("DeleteTag says that it was ", deleted->ToString()));
  }
  if (outcome == Outcome::kRefused && absl::IsNotFound(deleted.status()) && !before.MayBe(kAbsent)) {
    model_.Fail(about, "DeleteTag: " + deleted.status().ToString());
  }
}

void Worker::DeleteManifest() {
  const std::string repository = AnyRepository();
  const std::vector<std::string> manifests = ManifestsThatMayBe(repository);
  if (manifests.empty()) return;
  const std::string digest = AnyOf(manifests);
  const std::string about = ManifestKey(repository, digest);
  const bool is_there = IsSurelyPushed(repository, digest);
  bool may_have_parent = false;
  for (const std::string& other : manifests) {
    const std::vector<std::string>& children = model_.Manifest(other).children;
    may_have_parent = may_have_parent || std::find(children.begin(), children.end(), digest) != children.end();
  }
  std::vector<std::pair<std::string, std::string>> writes = {{about, kAbsent}};
  std::set<std::string> tags;
  std::set<std::string> sure_tags;
  for (const std::string& key : model_.KeysWith(TagKey(repository, ""))) {
    const Model::View view = model_.Look(key);
    if (!view.MayBe(digest)) continue;
    tags.insert(key);
    if (view.Is(digest)) sure_tags.insert(key);
    writes.emplace_back(key, kAbsent);
  }
  for (const int key : model_.Manifest(digest).blobs) model_.EndLease(repository, content_.DigestOf(key).ToString());
  model_.Orphan(repository, digest);
  Change change(model_, std::move(writes), absl::StrCat("delete manifest ", digest.substr(0, 19)));
  const auto deleted = stores_.refs.DeleteManifest(context_, repository, *Digest::Parse(digest));
  const Outcome outcome = Judge(deleted.status(), {kNotFound, kFailedPrecondition}, about, "DeleteManifest");
  if (outcome == Outcome::kDone) {
    std::set<std::string> removed;
    for (const std::string& tag : *deleted) removed.insert(TagKey(repository, tag));
    for (const std::string& key : removed) {
      if (!tags.contains(key)) change.Add(key, kAbsent);
    }
    for (const std::string& key : tags) {
      if (removed.contains(key)) continue;
      if (IsOwn(repository) && sure_tags.contains(key)) {
        model_.Fail(key, "pointed to the deleted manifest, but DeleteManifest does not say that it went");
      }
      change.Drop(key);
    }
  }
  change.End(outcome, deleted.status().message());
  if (!IsOwn(repository) || outcome != Outcome::kRefused) return;
  if (absl::IsNotFound(deleted.status()) && is_there) model_.Fail(about, "cannot be deleted: " + deleted.status().ToString());
  if (absl::IsFailedPrecondition(deleted.status()) && !may_have_parent) {
    model_.Fail(about, "no index names it, yet: " + deleted.status().ToString());
  }
}

void Worker::CheckManifest(const std::string& about, const blobstore::StoredManifest& got) {
  model_.CountChecked(1);
  if (got.content != model_.Manifest(got.digest.ToString()).content) model_.Fail(about, "other bytes came back");
}

void Worker::GetByTag() {
  const std::string repository = AnyRepository();
  const std::string tag = AnyTag();
  const std::string about = TagKey(repository, tag);
  const Model::View before = model_.Look(about);
  const auto got = stores_.refs.GetManifest(context_, repository, ManifestReference{.tag = tag}, false);
  const Outcome outcome = Judge(got.status(), {kNotFound}, about, "GetManifest");
  if (outcome == Outcome::kUnknown) return;
  const Model::View after = model_.Look(about);
  const bool is_unchanged = before.changes == after.changes;
  const std::string value = outcome == Outcome::kDone ? got->digest.ToString() : kAbsent;
  if (is_unchanged && !before.MayBe(value) && !after.MayBe(value)) {
    model_.Fail(about, absl::StrCat("reads as ", value.empty() ? "absent" : value));
    return;
  }
  if (outcome == Outcome::kDone) CheckManifest(about, *got);
}

void Worker::GetByDigest() {
  const std::string repository = AnyRepository();
  const std::vector<std::string> manifests = ManifestsThatMayBe(repository);
  if (manifests.empty()) return;
  const std::string digest = AnyOf(manifests);
  const std::string about = ManifestKey(repository, digest);
  const bool is_there = IsSurelyPushed(repository, digest);
  const auto got = stores_.refs.GetManifest(context_, repository, ManifestReference{.digest = *Digest::Parse(digest)}, false);
  const Outcome outcome = Judge(got.status(), {kNotFound}, about, "GetManifest");
  if (outcome == Outcome::kDone) CheckManifest(about, *got);
  if (outcome == Outcome::kRefused && IsOwn(repository) && is_there) model_.Fail(about, "cannot be read: " + got.status().ToString());
}

void Worker::ListOwnTags() {
  std::set<std::string> listed;
  std::string last;
  while (true) {
    const auto page = stores_.refs.ListTags(context_, own_, last, 2);
    const Outcome outcome = Judge(page.status(), {kNotFound}, own_, "ListTags");
    if (outcome == Outcome::kUnknown) return;
    if (outcome == Outcome::kRefused || page->items.empty()) break;
    for (const blobstore::TagEntry& entry : page->items) {
      const std::string key = TagKey(own_, entry.name);
      listed.insert(key);
      if (!model_.Look(key).MayBe(entry.digest.ToString())) model_.Fail(key, "is listed with " + entry.digest.ToString());
    }
    last = page->items.back().name;
    if (!page->has_more) break;
  }
  for (const std::string& key : model_.KeysWith(TagKey(own_, ""))) {
    if (!model_.Look(key).MayBe(kAbsent) && !listed.contains(key)) model_.Fail(key, "is not listed");
  }
}

void Worker::PutRecord() {
  const std::vector<std::string> all = AllRecordKeys(model_.threads());
  const std::string key = AnyOf(all);
  const std::string about = RecordKey(key);
  std::vector<int> needs;
  std::vector<Digest> digests;
  bool are_surely_there = true;
  const std::vector<int> linked = LinkedContent(own_);
  for (uint64_t i = linked.empty() ? 0 : Below(4); i > 0; --i) {
    needs.push_back(AnyOf(linked));
    digests.push_back(content_.DigestOf(needs.back()));
    are_surely_there = are_surely_there && IsSurelyLinked(own_, needs.back());
  }
  const std::string value = absl::StrCat("value ", thread_, ".", ++serial_, " ", std::string(Below(10) == 0 ? Below(200'000) : Below(2000), 'v'));
  model_.RememberRecord(value, needs);
  Change change(model_, {{about, value}}, absl::StrCat("put ", value.substr(0, 30)));
  const absl::Status status = stores_.cache.PutRecord(context_, key, value, digests);
  const Outcome outcome = Judge(status, {kFailedPrecondition}, about, "PutRecord");
  change.End(outcome, status.message());
  if (outcome == Outcome::kRefused && absl::IsFailedPrecondition(status) && are_surely_there) {
    model_.Fail(about, "was refused although what it needs is there: " + status.ToString());
  }
}

void Worker::GetRecord() {
  const std::vector<std::string> all = AllRecordKeys(model_.threads());
  const std::string key = AnyOf(all);
  const std::string about = RecordKey(key);
  const Model::View before = model_.Look(about);
  const auto got = stores_.cache.GetRecord(context_, key);
  const Outcome outcome = Judge(got.status(), {kNotFound}, about, "GetRecord");
  if (outcome == Outcome::kUnknown) return;
  const Model::View after = model_.Look(about);
  if (before.changes != after.changes) return;
  const std::string value = outcome == Outcome::kDone ? *got : kAbsent;
  if (!before.MayBe(value) && !after.MayBe(value)) model_.Fail(about, absl::StrCat("reads as ", value.substr(0, 60)));
  model_.CountChecked(1);
}

void Worker::Collect() {
  const auto report = stores_.admin.CollectGarbage(context_);
  Judge(report.status(), {}, "collection", "CollectGarbage");
}

}  // namespace strata::crash

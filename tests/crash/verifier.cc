#include "tests/crash/verifier.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/blobstore/blob_store.h"
#include "tests/crash/worker.h"

namespace strata::crash {

namespace {

constexpr size_t kInlineBytes = 32 * 1024;
constexpr int kPage = 50;

}  // namespace

bool Verifier::Expect(const absl::Status& status, const std::string& about) {
  if (!status.ok()) model_.Fail(about, status.ToString());
  return status.ok();
}

void Verifier::CheckEverything() { CheckAll(/*is_collected=*/false); }

void Verifier::CheckAll(bool is_collected) {
  CheckSessions();
  const std::vector<std::string> repositories = AllRepositories(model_.threads());
  for (const std::string& repository : repositories) {
    CheckManifests(repository);
    CheckTags(repository);
  }
  CheckRecords();
  for (const std::string& repository : repositories) {
    CheckLinks(repository, is_collected);
    CheckReferrers(repository);
  }
  CheckRepositories(is_collected);
  CheckFigures();
}

void Verifier::CheckSessions() {
  for (int thread = 0; thread < model_.threads(); ++thread) {
    std::vector<Session> alive;
    for (Session& session : model_.sessions(thread)) {
      const std::string about = "upload " + session.id;
      const auto info = stores_.blobs.GetUpload(context_, session.repository, session.id);
      model_.CountChecked(1);
      const bool may_be_gone = session.may_be_gone || model_.has_tiny_grace();
      if (absl::IsNotFound(info.status()) && may_be_gone) {
        model_.Note(about, "seen: gone");
        const Digest& digest = content_.DigestOf(session.content_key);
        // A session ends with its commit or not at all.
        const bool must_be_there = session.may_be_committed && !model_.has_tiny_grace() &&
                                   session.repository == OwnRepository(thread);
        if (!must_be_there) continue;
        const auto sizes = stores_.blobs.StatBlobs(context_, session.repository, {digest});
        if (!Expect(sizes.status(), about)) continue;
        if (!(*sizes)[0]) model_.Fail(about, "is gone, but the blob that its commit should have made is not there");
        continue;
      }
      if (!Expect(info.status(), about)) continue;
      if (info->offset_bytes < session.acknowledged || info->offset_bytes > session.sent) {
        model_.Fail(about, absl::StrCat("holds ", info->offset_bytes, " bytes; ", session.acknowledged,
                                        " were acknowledged and ", session.sent, " sent"));
      }
      session.acknowledged = session.sent = info->offset_bytes;
      session.may_be_gone = session.may_be_committed = false;
      model_.Note(about, absl::StrCat("seen: holds ", info->offset_bytes));
      alive.push_back(session);
    }
    model_.sessions(thread) = std::move(alive);
  }
}

void Verifier::CheckLinks(const std::string& repository, bool is_collected) {
  std::vector<Digest> digests;
  for (int key = 0; key < content_.count(); ++key) digests.push_back(content_.DigestOf(key));
  const auto sizes = stores_.blobs.StatBlobs(context_, repository, digests);
  if (!Expect(sizes.status(), "blobs of " + repository)) return;
  const std::set<int> needed = repository == blobstore::kBuildRepository ? NeededByRecords() : NamedByManifests(repository);
  for (int key = 0; key < content_.count(); ++key) {
    const std::optional<uint64_t>& size = (*sizes)[static_cast<size_t>(key)];
    const std::string& digest = digests[static_cast<size_t>(key)].ToString();
    const std::string about = LinkKey(repository, digest);
    const bool may_be_collected = model_.MayBeCollected(repository, digest, key);
    if (!size && !model_.Look(about).MayBe(kAbsent) && may_be_collected) {
      model_.ObserveCollected(about);
      continue;
    }
    if (!model_.Observe(about, size ? kPresent : kAbsent) || !size) continue;
    // A record keeps the builder's link, but does not bring back one that was collected before.
    if (is_collected && may_be_collected && !needed.contains(key)) model_.Fail(about, "nothing names it and its lease is over, but it was not collected");
    if (is_collected) model_.EndLease(repository, digest);
    if (*size != content_.SizeOf(key)) model_.Fail(about, absl::StrCat("has ", *size, " bytes, not ", content_.SizeOf(key)));
    CheckBytes(repository, key);
  }
}

void Verifier::CheckBytes(const std::string& repository, int key) {
  const Digest& digest = content_.DigestOf(key);
  const std::string about = LinkKey(repository, digest.ToString());
  const auto reader = stores_.blobs.OpenBlob(context_, repository, digest);
  if (!Expect(reader.status(), about)) return;
  const std::string want = content_.Make(key);
  const auto got = ReadAll(**reader, want.size() + 1);
  if (!Expect(got.status(), about)) return;
  if (*got != want) model_.Fail(about, absl::StrCat("other bytes came back: ", got->size(), " of ", want.size()));
}

std::vector<std::string> Verifier::PresentManifests(const std::string& repository) const {
  std::vector<std::string> digests;
  const std::string prefix = ManifestKey(repository, "");
  for (const std::string& key : model_.KeysWith(prefix)) digests.push_back(key.substr(prefix.size()));
  return digests;
}

void Verifier::CheckManifests(const std::string& repository) {
  std::set<std::string> listed;
  std::string last;
  while (true) {
    const auto page = stores_.refs.ListManifests(context_, repository, last, kPage);
    if (absl::IsNotFound(page.status())) break;
    if (!Expect(page.status(), "manifests of " + repository) || page->items.empty()) break;
    for (const blobstore::ManifestEntry& entry : page->items) listed.insert(entry.digest.ToString());
    last = page->items.back().digest.ToString();
    if (!page->has_more) break;
  }
  for (const std::string& digest : PresentManifests(repository)) {
    const std::string about = ManifestKey(repository, digest);
    if (!listed.contains(digest) && !model_.Look(about).MayBe(kAbsent) && model_.MayManifestBeCollected(repository, digest)) {
      for (const int key : model_.Manifest(digest).blobs) model_.EndLease(repository, content_.DigestOf(key).ToString());
      model_.ObserveCollected(about);
      continue;
    }
    model_.Observe(about, listed.contains(digest) ? kPresent : kAbsent);
  }
  for (const std::string& digest : listed) {
    const std::string about = ManifestKey(repository, digest);
    if (!model_.Observe(about, kPresent)) continue;
    const auto got = stores_.refs.GetManifest(context_, repository, {.digest = *Digest::Parse(digest)}, false);
    if (!Expect(got.status(), about)) continue;
    const ManifestFacts& facts = model_.Manifest(digest);
    if (got->content != facts.content) model_.Fail(about, "other bytes came back");
    if (got->media_type != facts.media_type) model_.Fail(about, "has media type " + got->media_type);
    for (const std::string& child : facts.children) {
      if (!listed.contains(child)) model_.Fail(about, "names manifest " + child + ", which is gone");
    }
  }
}

void Verifier::CheckReferrers(const std::string& repository) {
  std::map<std::string, std::set<std::string>> want;
  for (const std::string& digest : PresentManifests(repository)) {
    const std::string subject = model_.Manifest(digest).subject;
    if (!subject.empty()) want[subject].insert(digest);
    want[digest];
  }
  for (const auto& [subject, referrers] : want) {
    const std::string about = ManifestKey(repository, subject);
    const auto page = stores_.refs.ListReferrers(context_, repository, *Digest::Parse(subject), "", "", 1000);
    if (!Expect(page.status(), about)) continue;
    std::set<std::string> got;
    for (const blobstore::Referrer& referrer : page->items) got.insert(referrer.digest.ToString());
    model_.CountChecked(1);
    if (got != referrers) model_.Fail(about, absl::StrCat("has ", got.size(), " referrers, not ", referrers.size()));
  }
}

void Verifier::CheckTags(const std::string& repository) {
  std::map<std::string, std::string> listed;
  std::string last;
  while (true) {
    const auto page = stores_.refs.ListTags(context_, repository, last, 3);
    if (absl::IsNotFound(page.status())) break;
    if (!Expect(page.status(), "tags of " + repository) || page->items.empty()) break;
    for (const blobstore::TagEntry& entry : page->items) listed[entry.name] = entry.digest.ToString();
    last = page->items.back().name;
    if (!page->has_more) break;
  }
  const std::string prefix = TagKey(repository, "");
  for (const std::string& key : model_.KeysWith(prefix)) {
    const auto found = listed.find(key.substr(prefix.size()));
    model_.Observe(key, found == listed.end() ? kAbsent : found->second);
  }
  for (const auto& [tag, digest] : listed) {
    const std::string about = TagKey(repository, tag);
    if (!model_.Observe(about, digest)) continue;
    if (!IsPresent(ManifestKey(repository, digest))) model_.Fail(about, "points to a manifest that is not there: " + digest);
    const auto got = stores_.refs.GetManifest(context_, repository, {.tag = tag}, true);
    if (Expect(got.status(), about) && got->digest.ToString() != digest) model_.Fail(about, "reads as " + got->digest.ToString());
  }
}

void Verifier::CheckRecords() {
  for (const std::string& key : AllRecordKeys(model_.threads())) {
    const auto got = stores_.cache.GetRecord(context_, key);
    if (!got.ok() && !absl::IsNotFound(got.status())) {
      Expect(got.status(), RecordKey(key));
      continue;
    }
    model_.Observe(RecordKey(key), got.ok() ? *got : kAbsent);
  }
}

std::set<int> Verifier::NamedByManifests(const std::string& repository) const {
  std::set<int> named;
  for (const std::string& digest : PresentManifests(repository)) {
    const std::vector<int>& blobs = model_.Manifest(digest).blobs;
    named.insert(blobs.begin(), blobs.end());
  }
  return named;
}

std::set<int> Verifier::NeededByRecords() const {
  std::set<int> needed;
  for (const std::string& key : model_.KeysWith("record ")) {
    for (const std::string& value : model_.Look(key).values) {
      for (const int need : model_.NeedsOf(value)) needed.insert(need);
    }
  }
  return needed;
}

void Verifier::CheckRepositories(bool is_collected) {
  const auto page = stores_.refs.ListRepositories(context_, "", 1000);
  if (!Expect(page.status(), "repositories")) return;
  const std::set<std::string> listed(page->items.begin(), page->items.end());
  std::set<std::string> ours;
  for (const std::string& repository : AllRepositories(model_.threads())) {
    model_.CountChecked(1);
    if (absl::StartsWith(repository, "_")) continue;
    ours.insert(repository);
    const bool has_rows = !model_.KeysWith(LinkKey(repository, "")).empty() || !PresentManifests(repository).empty();
    if (has_rows && !listed.contains(repository)) model_.Fail("repository " + repository, "is not listed");
    if (is_collected && !has_rows && listed.contains(repository)) {
      model_.Fail("repository " + repository, "is empty and was not collected");
    }
  }
  for (const std::string& repository : listed) {
    if (!ours.contains(repository)) model_.Fail("repository " + repository, "is listed although nobody made it");
  }
}

void Verifier::CheckFigures() {
  const auto figures = stores_.admin.GetStatistics(context_);
  if (!Expect(figures.status(), "statistics")) return;
  const auto check = [&](absl::string_view name, int64_t got, size_t least, size_t most) {
    model_.CountChecked(1);
    if (got >= static_cast<int64_t>(least) && got <= static_cast<int64_t>(most)) return;
    model_.Fail("statistics", absl::StrCat(name, " = ", got, ", want ", least, most == least ? "" : absl::StrCat(" to ", most)));
  };
  const size_t manifests = model_.KeysWith("manifest ").size();
  const size_t tags = model_.KeysWith("tag ").size();
  const size_t records = model_.KeysWith("record ").size();
  const size_t sessions = model_.CountSessions();
  check("manifests", figures->manifests, manifests, manifests);
  check("tags", figures->tags, tags, tags);
  check("cache_records", figures->cache_records, records, records);
  // Idle ones may expire while the lifetime is short.
  check("open_uploads", figures->open_uploads, model_.has_tiny_grace() ? 0 : sessions,
        sessions + static_cast<size_t>(model_.lost_sessions()));
}

void Verifier::CheckRest(const std::function<size_t()>& count_extents) {
  std::set<int> blobs = NeededByRecords();
  std::set<std::string> repositories;
  for (const std::string& repository : AllRepositories(model_.threads())) {
    const std::string prefix = LinkKey(repository, "");
    const std::vector<std::string> links = model_.KeysWith(prefix);
    for (const std::string& key : links) blobs.insert(content_.KeyOf(*Digest::Parse(key.substr(prefix.size()))).value_or(0));
    if (!absl::StartsWith(repository, "_") && (!links.empty() || !PresentManifests(repository).empty())) repositories.insert(repository);
  }
  int64_t bytes = 0;
  size_t extents = 0;
  for (const int key : blobs) {
    bytes += static_cast<int64_t>(content_.SizeOf(key));
    if (content_.SizeOf(key) > kInlineBytes) ++extents;
  }
  const auto figures = stores_.admin.GetStatistics(context_);
  if (!Expect(figures.status(), "statistics")) return;
  model_.CountChecked(5);
  const auto check = [&](absl::string_view name, int64_t got, int64_t want) {
    if (got != want) model_.Fail("statistics", absl::StrCat("after collection ", name, " = ", got, ", want ", want));
  };
  check("blobs", figures->blobs, static_cast<int64_t>(blobs.size()));
  check("blob_bytes", figures->blob_bytes, bytes);
  check("repositories", figures->repositories, static_cast<int64_t>(repositories.size()));
  check("open_uploads", figures->open_uploads, 0);
  check("extent files", static_cast<int64_t>(count_extents()), static_cast<int64_t>(extents));
}

void Verifier::WriteSynced() {
  const auto id = stores_.blobs.StartUpload(context_, OwnRepository(0), DigestAlgorithm::kSha256);
  if (!Expect(id.status(), "a synced write")) return;
  Expect(stores_.blobs.CancelUpload(context_, OwnRepository(0), *id), "a synced write");
}

void Verifier::CollectAndCheckEverything(const std::function<size_t()>& count_extents) {
  for (int run = 0; run < 2; ++run) {
    if (!Expect(stores_.admin.CollectGarbage(context_).status(), "collection")) return;
  }
  for (int thread = 0; thread < model_.threads(); ++thread) {
    for (const Session& session : model_.sessions(thread)) {
      const auto info = stores_.blobs.GetUpload(context_, session.repository, session.id);
      if (!absl::IsNotFound(info.status())) model_.Fail("upload " + session.id, "is idle for longer than sessions live, yet " + info.status().ToString());
    }
    model_.sessions(thread).clear();
  }
  model_.ClearLostSessions();
  CheckAll(/*is_collected=*/true);
  CheckRest(count_extents);
  WriteSynced();
}

}  // namespace strata::crash

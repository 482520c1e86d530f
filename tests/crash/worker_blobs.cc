// Uploads, reads, links.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/crash/worker.h"

namespace strata::crash {

using enum absl::StatusCode;

namespace {

constexpr size_t kMaxSessions = 6;
constexpr size_t kPieceSizes[] = {1000, 4096, 32 * 1024, 100'000, 256 * 1024, 1 << 20, 3 << 20};

std::string About(const Session& session) { return absl::StrCat("upload ", session.id); }

}  // namespace

Session* Worker::Start(const std::string& repository, int key) {
  const DigestAlgorithm algorithm = OneIn(8) ? DigestAlgorithm::kSha512 : content_.DigestOf(key).algorithm();
  const auto id = stores_.blobs.StartUpload(context_, repository, algorithm);
  const Outcome outcome = Judge(id.status(), {}, absl::StrCat("uploads of ", repository), "StartUpload");
  if (outcome == Outcome::kUnknown) model_.AddLostSession();
  if (outcome != Outcome::kDone) return nullptr;
  Session session;
  session.id = *id;
  session.repository = repository;
  session.content_key = key;
  session.algorithm = algorithm;
  model_.Note(About(session), absl::StrCat("started in ", repository, " for content ", key, " of ", content_.SizeOf(key), " bytes"));
  model_.sessions(thread_).push_back(std::move(session));
  return &model_.sessions(thread_).back();
}

Session* Worker::AnySession() {
  std::vector<Session>& sessions = model_.sessions(thread_);
  return sessions.empty() ? nullptr : &sessions[Below(sessions.size())];
}

void Worker::EndSession(std::string id) {
  model_.Note("upload " + id, "ended");
  std::erase_if(model_.sessions(thread_), [&](const Session& session) { return session.id == id; });
}

bool Worker::FindOffset(Session& session) {
  const auto info = stores_.blobs.GetUpload(context_, session.repository, session.id);
  std::set<absl::StatusCode> allowed;
  if (session.may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  const Outcome outcome = Judge(info.status(), allowed, About(session), "GetUpload");
  if (absl::IsNotFound(info.status()) && outcome == Outcome::kRefused) EndSession(session.id);
  if (outcome != Outcome::kDone) return false;
  if (info->offset_bytes < session.acknowledged || info->offset_bytes > session.sent) {
    model_.Fail(About(session), absl::StrCat("holds ", info->offset_bytes, " bytes; ", session.acknowledged, " were acknowledged and ",
                                             session.sent, " sent"));
    return false;
  }
  session.acknowledged = session.sent = info->offset_bytes;
  return true;
}

std::unique_ptr<blobstore::UploadWriter> Worker::Open(Session& session) {
  if (session.acknowledged != session.sent && !FindOffset(session)) return nullptr;
  const std::optional<uint64_t> offset = OneIn(3) ? std::nullopt : std::optional<uint64_t>(session.acknowledged);
  auto writer = stores_.blobs.OpenUpload(context_, session.repository, session.id, offset);
  std::set<absl::StatusCode> allowed;
  if (session.may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  const Outcome outcome =
      Judge(writer.status(), allowed, About(session), absl::StrCat("OpenUpload at ", session.acknowledged));
  if (outcome == Outcome::kDone) return *std::move(writer);
  if (absl::IsNotFound(writer.status()) && outcome == Outcome::kRefused) EndSession(session.id);
  return nullptr;
}

bool Worker::WritePieces(Session& session, blobstore::UploadWriter& writer, uint64_t until) {
  const std::string content = content_.Make(session.content_key);
  // Not more than some dozens of them.
  const size_t piece = std::max<size_t>(AnyOf(kPieceSizes), content.size() / 40);
  uint64_t at = session.acknowledged;
  session.sent = std::max(session.sent, until);
  while (at < until) {
    const size_t count = std::min<uint64_t>(piece, until - at);
    const absl::Status status = writer.Write(absl::string_view(content).substr(at, count));
    std::set<absl::StatusCode> allowed;
    if (model_.has_tiny_grace()) allowed.insert(kNotFound);
    if (Judge(status, allowed, About(session), "Write") != Outcome::kDone) return false;
    at += count;
  }
  return true;
}

void Worker::Commit(Session& session) {
  const int key = session.content_key;
  const Digest& digest = content_.DigestOf(key);
  const std::string repository = session.repository;
  const std::string id = session.id;
  const std::unique_ptr<blobstore::UploadWriter> writer = Open(session);
  if (writer == nullptr || !WritePieces(session, *writer, content_.SizeOf(key))) return;
  Change change(model_, {{LinkKey(repository, digest.ToString()), kPresent}}, absl::StrCat("commit upload ", id));
  const auto size = OneIn(2) ? std::nullopt : std::optional<uint64_t>(content_.SizeOf(key));
  const absl::Status status = writer->Commit(digest, size);
  std::set<absl::StatusCode> allowed;
  if (session.may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  const Outcome outcome = Judge(status, allowed, About(session), absl::StrCat("Commit as ", digest.ToString()));
  change.End(outcome, status.message());
  model_.Note(About(session), absl::StrCat("Commit -> ", status.ToString()));
  if (outcome == Outcome::kUnknown) {
    session.may_be_gone = session.may_be_committed = true;
  } else if (outcome == Outcome::kDone || absl::IsNotFound(status)) {
    if (outcome == Outcome::kDone && IsOwn(repository)) model_.RenewLease(repository, digest.ToString());
    EndSession(id);
  }
}

void Worker::UploadWhole() {
  if (Session* session = Start(AnyBlobRepository(), AnyContent())) Commit(*session);
}

void Worker::UploadTwice() {
  const int key = AnyContent();
  const Session* first = Start(AnyRepository(), key);
  if (first == nullptr) return;
  const std::string first_id = first->id;
  Session* second = Start(AnyRepository(), key);
  if (second == nullptr) return;
  const std::string second_id = second->id;
  for (const std::string& id : {second_id, first_id}) {
    std::vector<Session>& sessions = model_.sessions(thread_);
    const auto found = std::find_if(sessions.begin(), sessions.end(), [&](const Session& one) { return one.id == id; });
    if (found != sessions.end() && is_answered_) Commit(*found);
  }
}

void Worker::StartOne() {
  if (model_.sessions(thread_).size() < kMaxSessions) Start(AnyBlobRepository(), AnyContent());
}

void Worker::AppendSome() {
  Session* session = AnySession();
  if (session == nullptr) return StartOne();
  const std::unique_ptr<blobstore::UploadWriter> writer = Open(*session);
  if (writer == nullptr) return;
  const uint64_t left = content_.SizeOf(session->content_key) - session->acknowledged;
  const uint64_t until = session->acknowledged + Below(left + 1);
  if (!WritePieces(*session, *writer, until)) return;
  // Now and then it simply vanishes.
  if (OneIn(5)) return;
  const auto held = writer->Flush();
  std::set<absl::StatusCode> allowed;
  if (session->may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  const Outcome outcome = Judge(held.status(), allowed, About(*session), "Flush");
  model_.Note(About(*session), absl::StrCat("Flush at ", until, " -> ", held.status().ToString()));
  if (outcome != Outcome::kDone) return;
  if (*held != until) model_.Fail(About(*session), absl::StrCat("Flush says ", *held, " bytes are held, not ", until));
  session->acknowledged = session->sent = until;
}

void Worker::CommitOne() {
  if (Session* session = AnySession()) Commit(*session);
}

void Worker::CommitWrong() {
  Session* session = AnySession();
  if (session == nullptr) return;
  const std::unique_ptr<blobstore::UploadWriter> writer = Open(*session);
  if (writer == nullptr) return;
  if (OneIn(2) && !WritePieces(*session, *writer, content_.SizeOf(session->content_key))) return;
  const Digest wrong = content_.NobodysDigest(++serial_);
  const absl::Status status = writer->Commit(wrong);
  model_.Note(About(*session), absl::StrCat("Commit as nobody's digest -> ", status.ToString()));
  std::set<absl::StatusCode> allowed = {kInvalidArgument};
  if (session->may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  switch (Judge(status, allowed, About(*session), "Commit with a wrong digest")) {
    case Outcome::kDone: model_.Fail(About(*session), absl::StrCat("was committed as ", wrong.ToString())); break;
    case Outcome::kUnknown: session->may_be_gone = true; break;
    case Outcome::kRefused:
      if (!absl::IsAborted(status)) EndSession(session->id);
      break;
  }
}

void Worker::CancelOne() {
  Session* session = AnySession();
  if (session == nullptr) return;
  const absl::Status status = stores_.blobs.CancelUpload(context_, session->repository, session->id);
  model_.Note(About(*session), absl::StrCat("CancelUpload -> ", status.ToString()));
  std::set<absl::StatusCode> allowed;
  if (session->may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  switch (Judge(status, allowed, About(*session), "CancelUpload")) {
    case Outcome::kDone: EndSession(session->id); break;
    case Outcome::kUnknown: session->may_be_gone = true; break;
    case Outcome::kRefused:
      if (!absl::IsAborted(status)) EndSession(session->id);
      break;
  }
}

void Worker::AskSession() {
  if (Session* session = AnySession()) FindOffset(*session);
}

void Worker::AppendAtWrongOffset() {
  Session* session = AnySession();
  if (session == nullptr || (session->acknowledged != session->sent && !FindOffset(*session))) return;
  const uint64_t wrong = session->acknowledged > 0 && OneIn(2) ? session->acknowledged - 1 : session->acknowledged + 1 + Below(100'000);
  const auto writer = stores_.blobs.OpenUpload(context_, session->repository, session->id, wrong);
  std::set<absl::StatusCode> allowed = {kOutOfRange};
  if (session->may_be_gone || model_.has_tiny_grace()) allowed.insert(kNotFound);
  if (Judge(writer.status(), allowed, About(*session), "OpenUpload at a wrong offset") == Outcome::kDone) {
    model_.Fail(About(*session), absl::StrCat("a write at ", wrong, " was accepted; ", session->acknowledged, " bytes are held"));
  }
}

void Worker::ReadSome() {
  const std::string repository = AnyBlobRepository();
  const std::vector<int> linked = LinkedContent(repository);
  const int key = linked.empty() || OneIn(5) ? AnyContent() : AnyOf(linked);
  const Digest& digest = content_.DigestOf(key);
  const std::string about = LinkKey(repository, digest.ToString());
  const Model::View before = model_.Look(about);
  const bool is_surely_there = IsSurelyLinked(repository, key);
  const std::string content = content_.Make(key);
  const uint64_t offset = OneIn(2) ? 0 : Below(content.size() + 1);
  const std::optional<uint64_t> length = OneIn(2) ? std::nullopt : std::optional<uint64_t>(Below(content.size() + 1));
  const auto reader = stores_.blobs.OpenBlob(context_, repository, digest, offset, length);
  const Outcome outcome = Judge(reader.status(), {kNotFound}, about, "OpenBlob");
  if (outcome == Outcome::kUnknown) return;
  if (outcome == Outcome::kRefused) {
    if (IsOwn(repository) && is_surely_there) model_.Fail(about, "cannot be read: " + reader.status().ToString());
    return;
  }
  if (IsOwn(repository) && before.Is(kAbsent)) model_.Fail(about, "can be read although nobody put it there");
  const absl::StatusOr<std::string> got = ReadAll(**reader, content.size() + 1);
  if (Judge(got.status(), {}, about, "reading") != Outcome::kDone) return;
  const absl::string_view want = absl::string_view(content).substr(offset, length.value_or(content.size()));
  if (*got != want) {
    model_.Fail(about, absl::StrCat("other bytes came back: ", got->size(), " of ", want.size(), " at ", offset));
  }
  model_.CountChecked(1);
}

void Worker::LinkOne() {
  const std::string to = AnyBlobRepository();
  const std::string from = AnyRepository();
  const std::vector<int> linked = LinkedContent(from);
  const int key = linked.empty() || OneIn(5) ? AnyContent() : AnyOf(linked);
  const std::string& digest = content_.DigestOf(key).ToString();
  const std::string source = LinkKey(from, digest);
  const Model::View before = model_.Look(source);
  const bool is_surely_there = IsSurelyLinked(from, key);
  Change change(model_, {{LinkKey(to, digest), kPresent}}, absl::StrCat("link from ", from));
  const absl::Status status = stores_.blobs.LinkBlobs(context_, to, from, {content_.DigestOf(key)});
  const Outcome outcome = Judge(status, {kNotFound}, source, "LinkBlobs");
  change.End(outcome, status.message());
  if (outcome == Outcome::kDone) {
    if (IsOwn(to)) model_.RenewLease(to, digest);
    if (IsOwn(from) && from != to && before.Is(kAbsent)) model_.Fail(source, "could be linked although it is not there");
  } else if (outcome == Outcome::kRefused && !absl::IsAborted(status) && IsOwn(from) && is_surely_there) {
    model_.Fail(source, "cannot be linked: " + status.ToString());
  }
}

void Worker::UnlinkOne() {
  const std::string repository = AnyBlobRepository();
  const std::vector<int> linked = LinkedContent(repository);
  if (linked.empty()) return;
  const int key = AnyOf(linked);
  const std::string about = LinkKey(repository, content_.DigestOf(key).ToString());
  const bool is_surely_there = IsSurelyLinked(repository, key);
  Change change(model_, {{about, kAbsent}}, "unlink");
  const absl::Status status = stores_.blobs.UnlinkBlob(context_, repository, content_.DigestOf(key));
  const Outcome outcome = Judge(status, {kNotFound}, about, "UnlinkBlob");
  change.End(outcome, status.message());
  if (outcome == Outcome::kRefused && !absl::IsAborted(status) && IsOwn(repository) && is_surely_there) {
    model_.Fail(about, "cannot be unlinked: " + status.ToString());
  }
}

}  // namespace strata::crash

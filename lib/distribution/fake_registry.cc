#include "lib/distribution/fake_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/check.h"
#include "lib/digest/digest.h"
#include "lib/http/range.h"

namespace strata::distribution {
namespace {

constexpr char kRefreshToken[] = "refresh";
constexpr char kCredentials[] = "Basic YW5uOnNlY3JldA==";  // ann:secret
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

void SendError(http::ResponseWriter& response, int status, absl::string_view code) {
  response.SetStatus(status);
  response.SendText("application/json", absl::StrCat("{\"errors\":[{\"code\":\"", code, "\",\"message\":\"the fake registry says so\"}]}"))
      .IgnoreError();
}

}  // namespace

FakeRegistry::FakeRegistry(FakeRegistryBehaviour behaviour) : behaviour_(std::move(behaviour)) {
  auto server = http::Server::Start({}, [this](const http::Request& request, http::ResponseWriter& response) { Handle(request, response); });
  STRATA_CHECK(server.ok());
  server_ = *std::move(server);
}

std::string FakeRegistry::host() const { return absl::StrCat("127.0.0.1:", server_->port()); }

void FakeRegistry::AddBlob(const std::string& repository, const std::string& digest, const std::string& content) {
  MutexLock lock(mutex_);
  blobs_[repository + "@" + digest] = content;
}

void FakeRegistry::AddManifest(const std::string& repository, const std::string& reference, const std::string& content) {
  MutexLock lock(mutex_);
  manifests_[repository + ":" + reference] = content;
}

void FakeRegistry::RemoveManifest(const std::string& repository, const std::string& reference) {
  MutexLock lock(mutex_);
  manifests_.erase(repository + ":" + reference);
}

std::string FakeRegistry::blob(const std::string& repository, const std::string& digest) const {
  MutexLock lock(mutex_);
  const auto found = blobs_.find(repository + "@" + digest);
  return found == blobs_.end() ? "" : found->second;
}

std::string FakeRegistry::manifest(const std::string& repository, const std::string& reference) const {
  MutexLock lock(mutex_);
  const auto found = manifests_.find(repository + ":" + reference);
  return found == manifests_.end() ? "" : found->second;
}

std::vector<std::string> FakeRegistry::log() const {
  MutexLock lock(mutex_);
  return log_;
}

void FakeRegistry::ForgetTokens() {
  MutexLock lock(mutex_);
  ++token_generation_;
}

void FakeRegistry::Handle(const http::Request& request, http::ResponseWriter& response) {
  {
    MutexLock lock(mutex_);
    log_.push_back(absl::StrCat(request.method, " ", request.path, request.headers.Has("Authorization") ? "+auth" : ""));
  }
  if (request.path == "/token") return SendToken(request, response);
  if (!Authorize(request, response)) return;
  if (request.path == "/v2/") return response.SendText("application/json", "{}").IgnoreError();
  const auto split = [&](absl::string_view middle, std::string& repository, std::string& rest) {
    const size_t at = request.path.rfind(std::string(middle));
    if (!absl::StartsWith(request.path, "/v2/") || at == std::string::npos) return false;
    repository = request.path.substr(4, at - 4);
    rest = request.path.substr(at + middle.size());
    return true;
  };
  std::string repository, rest;
  if (split("/blobs/uploads/", repository, rest)) {
    return request.method == "POST" ? StartUpload(request, response, repository) : FinishUpload(request, response, repository);
  }
  if (split("/blobs/", repository, rest)) return SendBlob(request, response, repository + "@" + rest);
  if (split("/tags/list", repository, rest)) return SendTags(request, response, repository);
  if (!split("/manifests/", repository, rest)) return SendError(response, 404, "UNSUPPORTED");
  if (request.method != "PUT") return SendManifest(request, response, repository + ":" + rest);
  const auto content = ReadAll(request.body, 4 << 20);
  if (!content.ok()) return;
  AddManifest(repository, rest, *content);
  response.SetStatus(201);
  response.headers().Set("Docker-Content-Digest", Digest::Of(*content).ToString());
  response.SendEmpty().IgnoreError();
}

bool FakeRegistry::Authorize(const http::Request& request, http::ResponseWriter& response) {
  std::string challenge;
  {
    MutexLock lock(mutex_);
    const absl::string_view given = request.headers.Get("Authorization");
    if (behaviour_.asks_for_token && given != absl::StrCat("Bearer token-", token_generation_)) {
      challenge = absl::StrCat("Bearer realm=\"http://", host(), "/token\",service=\"fake\",scope=\"ignored\"");
    } else if (behaviour_.asks_for_basic && given != kCredentials) {
      challenge = "Basic realm=\"fake\"";
    }
  }
  if (challenge.empty()) return true;
  response.headers().Set("WWW-Authenticate", challenge);
  SendError(response, 401, "UNAUTHORIZED");
  return false;
}

void FakeRegistry::SendToken(const http::Request& request, http::ResponseWriter& response) {
  if (request.method == "POST") {
    const auto body = ReadAll(request.body, 64 << 10);
    const auto form = http::QueryParameters::Parse(body.value_or(""));
    if (!form.ok() || form->Get("grant_type") != "refresh_token" || form->Get("refresh_token") != kRefreshToken) {
      return SendError(response, 401, "UNAUTHORIZED");
    }
    MutexLock lock(mutex_);
    log_.push_back(absl::StrCat("scopes ", form->Get("scope"), " of ", form->Get("service")));
    return response.SendText("application/json", absl::StrCat("{\"access_token\":\"token-", token_generation_, "\"}")).IgnoreError();
  }
  if (request.headers.Get("Authorization") != kCredentials) return SendError(response, 401, "UNAUTHORIZED");
  MutexLock lock(mutex_);
  log_.push_back(absl::StrCat("scopes ", absl::StrJoin(request.query.FindAll("scope"), " "), " of ", request.query.Get("service")));
  response.SendText("application/json", absl::StrCat("{\"token\":\"token-", token_generation_, "\",\"expires_in\":60}")).IgnoreError();
}

void FakeRegistry::SendBlob(const http::Request& request, http::ResponseWriter& response, const std::string& key) {
  std::string content;
  bool breaks = false, ignores_range = false;
  {
    MutexLock lock(mutex_);
    if (!behaviour_.blob_host.empty()) {
      response.SetStatus(307);
      response.headers().Set("Location", absl::StrCat(behaviour_.blob_host, request.path, "?signature=s3cret"));
      return response.SendEmpty().IgnoreError();
    }
    const auto found = blobs_.find(key);
    if (found == blobs_.end()) return SendError(response, 404, "BLOB_UNKNOWN");
    content = found->second;
    breaks = request.method == "GET" && behaviour_.break_reads > 0 && behaviour_.break_reads-- > 0;
    ignores_range = behaviour_.ignores_range;
  }
  absl::string_view part = content;
  if (const auto range = http::ParseRange(request.headers.Get("Range"), content.size()); range.ok() && !ignores_range) {
    response.SetStatus(206);
    response.headers().Set("Content-Range", http::FormatContentRange(range->front(), content.size()));
    part = part.substr(range->front().first, range->front().size_bytes());
  }
  if (!breaks) return response.SendBytes(part).IgnoreError();
  auto sink = response.StartStream(part.size());
  if (sink.ok()) (*sink)->Write(part.substr(0, part.size() / 2)).IgnoreError();
}

void FakeRegistry::SendManifest(const http::Request& request, http::ResponseWriter& response, const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = manifests_.find(key);
  if (found == manifests_.end()) return SendError(response, 404, "MANIFEST_UNKNOWN");
  response.headers().Set("Docker-Content-Digest", Digest::Of(found->second).ToString());
  const bool is_index = absl::StrContains(found->second, absl::StrCat("\"mediaType\":\"", kIndexType, "\",\"manifests\""));
  response.SendText(absl::StrCat(is_index ? kIndexType : kManifestType, "; charset=utf-8"), found->second).IgnoreError();
}

void FakeRegistry::SendTags(const http::Request& request, http::ResponseWriter& response, const std::string& repository) {
  MutexLock lock(mutex_);
  const std::string last(request.query.Get("last"));
  std::vector<std::string> page;
  bool has_more = false;
  for (const auto& [key, content] : manifests_) {
    if (!absl::StartsWith(key, repository + ":")) continue;
    const std::string tag = key.substr(repository.size() + 1);
    if (!last.empty() && tag <= last) continue;
    has_more = page.size() == behaviour_.tags_a_page;
    if (has_more) break;
    page.push_back(absl::StrCat("\"", tag, "\""));
  }
  if (has_more) {
    const std::string final_tag = page.back().substr(1, page.back().size() - 2);
    response.headers().Set("Link", absl::StrCat("</v2/", repository, "/tags/list?last=", final_tag, ">; rel=\"next\""));
  }
  response.SendText("application/json", absl::StrCat("{\"name\":\"", repository, "\",\"tags\":[", absl::StrJoin(page, ","), "]}")).IgnoreError();
}

void FakeRegistry::StartUpload(const http::Request& request, http::ResponseWriter& response, const std::string& repository) {
  MutexLock lock(mutex_);
  const std::string digest(request.query.Get("mount"));
  if (!digest.empty() && behaviour_.refuses_mounts) return SendError(response, 403, "DENIED");
  const auto source = blobs_.find(absl::StrCat(request.query.Get("from"), "@", digest));
  if (source != blobs_.end()) {
    blobs_[repository + "@" + digest] = source->second;
    response.SetStatus(201);
  } else {
    response.SetStatus(202);
    response.headers().Set("Location", absl::StrCat("/v2/", repository, "/blobs/uploads/7f3a?_state=a%2Bb"));
  }
  response.SendEmpty().IgnoreError();
}

void FakeRegistry::FinishUpload(const http::Request& request, http::ResponseWriter& response, const std::string& repository) {
  const auto content = ReadAll(request.body, 64 << 20);
  if (!content.ok()) return;
  const std::string digest(request.query.Get("digest"));
  if (request.query.Get("_state") != "a+b") return SendError(response, 404, "BLOB_UPLOAD_UNKNOWN");
  if (Digest::Of(*content).ToString() != digest) return SendError(response, 400, "DIGEST_INVALID");
  AddBlob(repository, digest, *content);
  response.SetStatus(201);
  response.SendEmpty().IgnoreError();
}

}  // namespace strata::distribution

#include "lib/distribution/registry_client.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/distribution/blob_stream.h"
#include "lib/distribution/target.h"
#include "lib/json/json.h"
#include "lib/oci/reference.h"

namespace strata::distribution {
namespace {

constexpr size_t kMaxTags = 100'000;
constexpr int kMaxTagPages = 1000;

// A tag or a digest: nothing else may become part of a URL.
absl::Status CheckReference(const std::string& reference) {
  return absl::StrContains(reference, ":") ? Digest::Parse(reference).status() : oci::ValidateTag(reference);
}

std::string MediaTypeOf(const http::ClientResponse& response) {
  const absl::string_view value = response.headers.Get("Content-Type");
  return std::string(absl::StripAsciiWhitespace(value.substr(0, value.find(';'))));
}

http::Headers AcceptHeaders(const std::vector<std::string>& accept) {
  return {{"Accept", accept.empty() ? "*/*" : absl::StrJoin(accept, ", ")}};
}

// Checks `content` against the digest asked for or, for a tag, the one the registry claims.
absl::StatusOr<Digest> VerifiedDigest(absl::string_view content, const std::string& reference, const http::ClientResponse& response) {
  const absl::string_view claimed = response.headers.Get("Docker-Content-Digest");
  const std::string expected = absl::StrContains(reference, ":") ? reference : std::string(claimed);
  if (expected.empty()) return Digest::Of(content);
  STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(expected));
  const Digest actual = Digest::Of(content, digest.algorithm());
  if (actual == digest) return digest;
  return absl::DataLossError(absl::StrCat("the registry sent ", content.size(), " bytes that hash to ", actual.ToString(), ", expected ",
                                          digest.ToString()));
}

// The target of `Link: <...>; rel="next"`; "" when there is none.
std::string NextPage(const http::ClientResponse& response) {
  for (const absl::string_view link : response.headers.FindAll("Link")) {
    const size_t open = link.find('<');
    const size_t close = link.find('>');
    if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) continue;
    const absl::string_view attributes = link.substr(close + 1);
    if (absl::StrContains(attributes, "rel=\"next\"") || absl::StrContains(attributes, "rel=next")) {
      return std::string(link.substr(open + 1, close - open - 1));
    }
  }
  return "";
}

}  // namespace

RegistryClient::RegistryClient(http::Client& client, RegistryClientOptions options)
    : client_(client), options_(std::move(options)), authenticator_(client, options_.credentials, options_.realm_check) {}

absl::StatusOr<RegistryClient::Target> RegistryClient::Aim(const RemoteRepository& remote, bool pushes, absl::string_view what) const {
  Target target;
  STRATA_ASSIGN_OR_RETURN(target.endpoint, ResolveEndpoint(remote, options_.insecure_hosts));
  if (options_.server) {
    target.endpoint.base = *options_.server;
    target.endpoint.repository = remote.path;
  }
  target.remote = remote;
  target.what = std::string(what);
  if (!remote.path.empty()) {
    target.scopes.push_back(absl::StrCat("repository:", target.endpoint.repository, pushes ? ":pull,push" : ":pull"));
  }
  return target;
}

absl::StatusOr<http::ClientResponse> RegistryClient::Call(const CallContext& context, const Target& target, const http::Url& url,
                                                          http::ClientRequest request, absl::string_view body) {
  request.url = url.ToString();
  // An upload may have been sent to another host: our authorization is for the registry alone.
  const bool may_authorize = url.SameOrigin(target.endpoint.base);
  const bool can_repeat = request.body == nullptr;
  std::string authorization = may_authorize ? authenticator_.Known(target.endpoint, target.scopes) : "";
  for (bool is_first = true;; is_first = false) {
    if (!authorization.empty()) request.headers.Set("Authorization", authorization);
    StringSource body_source(body);
    http::ClientRequest attempt = request;
    if (!body.empty()) {
      attempt.body = &body_source;
      attempt.body_size = body.size();
    }
    absl::StatusOr<http::ClientResponse> response = client_.Do(context, std::move(attempt));
    if (!response.ok()) return Annotate(response.status(), target.Describe());
    if (response->status != 401 || !may_authorize || !is_first || !can_repeat) return response;
    absl::StatusOr<std::string> answer = authenticator_.Answer(context, target.endpoint, target.scopes, response->headers);
    if (!answer.ok()) return Annotate(answer.status(), target.Describe());
    authorization = *std::move(answer);
  }
}

absl::StatusOr<FetchedManifest> RegistryClient::FetchManifest(const CallContext& context, const RemoteRepository& remote,
                                                              const std::string& reference, const std::vector<std::string>& accept) {
  STRATA_RETURN_IF_ERROR(CheckReference(reference));
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, false, absl::StrCat("manifest ", reference)));
  const http::Url url = target.endpoint.Locate(absl::StrCat("manifests/", reference));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, {.headers = AcceptHeaders(accept)}));
  if (response.status != 200) return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
  FetchedManifest manifest;
  absl::StatusOr<std::string> content = ReadAll(*response.body, kMaxManifestBytes);
  if (!content.ok()) return Annotate(content.status(), target.Describe());
  manifest.content = *std::move(content);
  manifest.media_type = MediaTypeOf(response);
  absl::StatusOr<Digest> digest = VerifiedDigest(manifest.content, reference, response);
  if (!digest.ok()) return Annotate(digest.status(), target.Describe());
  manifest.digest = *std::move(digest);
  return manifest;
}

absl::StatusOr<ManifestDescription> RegistryClient::DescribeManifest(const CallContext& context, const RemoteRepository& remote,
                                                                     const std::string& reference, const std::vector<std::string>& accept) {
  STRATA_RETURN_IF_ERROR(CheckReference(reference));
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, false, absl::StrCat("manifest ", reference)));
  const http::Url url = target.endpoint.Locate(absl::StrCat("manifests/", reference));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, {.method = "HEAD", .headers = AcceptHeaders(accept)}));
  const auto digest = Digest::Parse(response.headers.Get("Docker-Content-Digest"));
  if (response.status == 200 && digest.ok() && response.content_length) {
    return ManifestDescription{MediaTypeOf(response), *digest, *response.content_length};
  }
  if (response.status != 200 && response.status != 405) return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
  STRATA_ASSIGN_OR_RETURN(const FetchedManifest manifest, FetchManifest(context, remote, reference, accept));
  return ManifestDescription{manifest.media_type, manifest.digest, manifest.content.size()};
}

absl::StatusOr<http::ClientResponse> RegistryClient::OpenBlob(const CallContext& context, const Target& target, const Digest& digest,
                                                              uint64_t offset) {
  http::ClientRequest request;
  if (offset > 0) request.headers.Set("Range", absl::StrCat("bytes=", offset, "-"));
  const http::Url url = target.endpoint.Locate(absl::StrCat("blobs/", digest.ToString()));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, std::move(request)));
  if (response.status == 200 || (response.status == 206 && offset > 0)) return response;
  return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
}

absl::StatusOr<std::unique_ptr<ByteSource>> RegistryClient::FetchBlob(const CallContext& context, const RemoteRepository& remote,
                                                                      const Digest& digest, int64_t size_bytes,
                                                                      std::optional<uint64_t>* declared_bytes) {
  STRATA_ASSIGN_OR_RETURN(Target target, Aim(remote, false, absl::StrCat("blob ", digest.ToString())));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, OpenBlob(context, target, digest, 0));
  if (declared_bytes != nullptr) *declared_bytes = response.content_length;
  if (declared_bytes != nullptr) *declared_bytes = response.content_length;
  return std::make_unique<BlobStream>(*this, context, std::move(target), digest, size_bytes, std::move(response.body));
}

absl::StatusOr<std::optional<uint64_t>> RegistryClient::DescribeBlob(const CallContext& context, const RemoteRepository& remote,
                                                                     const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, false, absl::StrCat("blob ", digest.ToString())));
  const http::Url url = target.endpoint.Locate(absl::StrCat("blobs/", digest.ToString()));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, {.method = "HEAD"}));
  if (response.status == 200) return response.content_length;
  return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
}

absl::StatusOr<bool> RegistryClient::HasBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest) {
  const auto description = DescribeBlob(context, remote, digest);
  if (description.ok()) return true;
  if (absl::IsNotFound(description.status())) return false;
  return description.status();
}

absl::StatusOr<http::Url> RegistryClient::StartUpload(const CallContext& context, const Target& target, const http::Url& url, bool& is_mounted) {
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, {.method = "POST"}));
  is_mounted = response.status == 201;
  if (is_mounted) return url;
  if (response.status != 202) return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
  absl::StatusOr<http::Url> location = url.Resolve(response.headers.Get("Location"));
  if (!location.ok() || !response.headers.Has("Location")) {
    return absl::UnavailableError(absl::StrCat(target.Describe(), ": registry ", target.endpoint.credential_host,
                                               " accepts the upload but does not say where to send it"));
  }
  if (url.scheme == "https" && location->scheme != "https") {
    return absl::FailedPreconditionError(absl::StrCat(target.Describe(), ": registry ", target.endpoint.credential_host,
                                                      " wants the upload over plain http at ", location->Authority(), "; refused"));
  }
  return location;
}

absl::StatusOr<http::Url> RegistryClient::StartUploadOrMount(const CallContext& context, const Target& target, const Digest& digest,
                                                             const std::string& mount_from, bool& is_mounted) {
  STRATA_RETURN_IF_ERROR(oci::ValidateRepository(mount_from));
  // The same rewriting of one-word names as for the target itself.
  STRATA_ASSIGN_OR_RETURN(const Endpoint from, ResolveEndpoint({target.remote.host, mount_from}, options_.insecure_hosts));
  Target mounting = target;
  mounting.scopes.push_back(absl::StrCat("repository:", from.repository, ":pull"));
  http::Url url = target.endpoint.Locate("blobs/uploads/");
  url.AddQuery("mount", digest.ToString());
  url.AddQuery("from", from.repository);
  absl::StatusOr<http::Url> location = StartUpload(context, mounting, url, is_mounted);
  if (!absl::IsUnauthenticated(location.status()) && !absl::IsPermissionDenied(location.status())) return location;
  // We may not read the other repository: the bytes go the long way.
  return StartUpload(context, target, target.endpoint.Locate("blobs/uploads/"), is_mounted);
}

absl::StatusOr<PushOutcome> RegistryClient::PushBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest,
                                                     uint64_t size_bytes, ByteSource& source, const std::optional<std::string>& mount_from) {
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, true, absl::StrCat("blob ", digest.ToString())));
  bool is_mounted = false;
  STRATA_ASSIGN_OR_RETURN(http::Url location,
                          mount_from ? StartUploadOrMount(context, target, digest, *mount_from, is_mounted)
                                     : StartUpload(context, target, target.endpoint.Locate("blobs/uploads/"), is_mounted));
  if (is_mounted) return PushOutcome::kMounted;
  location.AddQuery("digest", digest.ToString());
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, location,
                                                              {.method = "PUT",
                                                               .headers = {{"Content-Type", "application/octet-stream"}},
                                                               .body = &source,
                                                               .body_size = size_bytes}));
  if (response.status != 201) return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
  return PushOutcome::kUploaded;
}

absl::StatusOr<Digest> RegistryClient::PushManifest(const CallContext& context, const RemoteRepository& remote, const std::string& reference,
                                                    const std::string& media_type, absl::string_view content) {
  STRATA_RETURN_IF_ERROR(CheckReference(reference));
  if (content.empty() || content.size() > kMaxManifestBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a manifest has 1 to ", kMaxManifestBytes, " bytes, this one ", content.size()));
  }
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, true, absl::StrCat("manifest ", reference)));
  const http::Url url = target.endpoint.Locate(absl::StrCat("manifests/", reference));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response,
                          Call(context, target, url, {.method = "PUT", .headers = {{"Content-Type", media_type}}}, content));
  if (response.status != 201 && response.status != 200) {
    return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
  }
  absl::StatusOr<Digest> digest = VerifiedDigest(content, reference, response);
  if (!digest.ok()) return Annotate(digest.status(), target.Describe());
  return digest;
}

absl::StatusOr<std::vector<std::string>> RegistryClient::ListTags(const CallContext& context, const RemoteRepository& remote) {
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim(remote, false, "the tag list"));
  http::Url url = target.endpoint.Locate("tags/list");
  std::vector<std::string> tags;
  for (int page = 0; page < kMaxTagPages && tags.size() <= kMaxTags; ++page) {
    STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, url, {}));
    if (response.status != 200) return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
    absl::StatusOr<std::string> text = ReadAll(*response.body, kMaxManifestBytes);
    if (!text.ok()) return Annotate(text.status(), target.Describe());
    absl::StatusOr<json::Value> document = json::Parse(*text);
    if (!document.ok()) return Annotate(document.status(), target.Describe());
    absl::StatusOr<std::vector<std::string>> some = json::StringListField(*document, "tags");
    if (!some.ok()) return Annotate(some.status(), target.Describe());
    tags.insert(tags.end(), some->begin(), some->end());
    const std::string next = NextPage(response);
    if (next.empty()) return tags;
    STRATA_ASSIGN_OR_RETURN(http::Url next_url, url.Resolve(next));
    if (!next_url.SameOrigin(target.endpoint.base)) {
      return absl::FailedPreconditionError(absl::StrCat(target.Describe(), ": the next page is at another server, ", next_url.Authority(), "; refused"));
    }
    url = std::move(next_url);
  }
  return absl::ResourceExhaustedError(absl::StrCat(target.Describe(), ": more than ", kMaxTags, " tags or ", kMaxTagPages, " pages"));
}

absl::Status RegistryClient::Ping(const CallContext& context, const std::string& host) {
  STRATA_ASSIGN_OR_RETURN(const Target target, Aim({host, ""}, false, absl::StrCat("registry ", host)));
  STRATA_ASSIGN_OR_RETURN(http::ClientResponse response, Call(context, target, target.endpoint.Locate(""), {}));
  if (response.status == 200) return absl::OkStatus();
  return StatusOfResponse(target.Describe(), target.endpoint.credential_host, response);
}

}  // namespace strata::distribution

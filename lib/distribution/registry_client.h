// Pulls from and pushes to any registry. Spec: OCI distribution-spec 1.1, client side.
//
// Thread-safe; blocking. Every function names the registry, the repository and what was looked for in its errors:
//   kNotFound no such manifest, blob or repository.   kUnauthenticated / kPermissionDenied log in, or ask for the right.
//   kInvalidArgument the registry (or this code) finds the request malformed.   kResourceExhausted too large, or rate limited.
//   kUnavailable / kDeadlineExceeded the network or the server failed; try again.   kDataLoss content does not match its digest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"
#include "lib/distribution/authenticator.h"
#include "lib/distribution/endpoint.h"
#include "lib/http/client.h"

namespace strata::distribution {

struct RegistryClientOptions {
  std::vector<std::string> insecure_hosts;  // "host[:port]" spoken to in plain HTTP, besides loopback
  CredentialSource credentials;             // empty: always anonymous
  RealmCheck realm_check;                   // empty: credentials go to whatever token server the registry names
  std::optional<http::Url> server;          // every repository is here, whatever its host says, under the path it has
  int max_tries = 5;                        // of a blob read that makes no progress in between
  absl::Duration first_retry_delay = absl::Milliseconds(200);  // doubles with every try
};

// No registry has to take manifests over 4 MiB, and none is read beyond that.
inline constexpr size_t kMaxManifestBytes = 4 * 1024 * 1024;

struct FetchedManifest {
  std::string content;     // the exact bytes
  std::string media_type;  // of the Content-Type header, without parameters
  Digest digest;           // verified to be that of `content`
};

struct ManifestDescription {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
};

enum class PushOutcome {
  kUploaded,
  kMounted,  // the registry took it from `mount_from`; the source was not read
};

class RegistryClient {
 public:
  // `client` must outlive this object.
  explicit RegistryClient(http::Client& client, RegistryClientOptions options = {});

  // `reference` is a tag or the text of a digest; `accept` the media types wanted, empty for any.
  absl::StatusOr<FetchedManifest> FetchManifest(const CallContext& context, const RemoteRepository& remote, const std::string& reference,
                                                const std::vector<std::string>& accept);
  // What a tag points at, without its content where the registry allows: one HEAD request.
  absl::StatusOr<ManifestDescription> DescribeManifest(const CallContext& context, const RemoteRepository& remote,
                                                       const std::string& reference, const std::vector<std::string>& accept);
  // The content, which ends only when it hashed to `digest` and has `size_bytes` (negative: any size); kDataLoss otherwise. A
  // broken connection is resumed where it broke. The source must not outlive this object nor the context's cancellation.
  // `declared_bytes`, when not null, becomes the size that the registry declares, if it does.
  absl::StatusOr<std::unique_ptr<ByteSource>> FetchBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest,
                                                        int64_t size_bytes, std::optional<uint64_t>* declared_bytes = nullptr);
  // One HEAD request; its size where the registry declares it. kNotFound: not there.
  absl::StatusOr<std::optional<uint64_t>> DescribeBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest);
  absl::StatusOr<bool> HasBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest);

  // Uploads `size_bytes` from `source`, or has the blob mounted from repository `mount_from` of the same registry. Does not look
  // whether the registry has it already. The whole push must be repeated with a fresh source after an error.
  absl::StatusOr<PushOutcome> PushBlob(const CallContext& context, const RemoteRepository& remote, const Digest& digest, uint64_t size_bytes,
                                       ByteSource& source, const std::optional<std::string>& mount_from = std::nullopt);
  // Stores `content` under a tag or under its digest.
  absl::StatusOr<Digest> PushManifest(const CallContext& context, const RemoteRepository& remote, const std::string& reference,
                                      const std::string& media_type, absl::string_view content);

  // Every tag, in the registry's order; at most 100,000.
  absl::StatusOr<std::vector<std::string>> ListTags(const CallContext& context, const RemoteRepository& remote);
  // Asks whether the registry is there and takes our credentials: what a login checks.
  absl::Status Ping(const CallContext& context, const std::string& host);

 private:
  friend class BlobStream;
  struct Target;
  absl::StatusOr<Target> Aim(const RemoteRepository& remote, bool pushes, absl::string_view what) const;
  // Sends `request` to `url`, with authorization; answers one challenge. The body, if any, comes from `body`.
  absl::StatusOr<http::ClientResponse> Call(const CallContext& context, const Target& target, const http::Url& url,
                                            http::ClientRequest request, absl::string_view body = "");
  absl::StatusOr<http::ClientResponse> OpenBlob(const CallContext& context, const Target& target, const Digest& digest, uint64_t offset);
  absl::StatusOr<http::Url> StartUpload(const CallContext& context, const Target& target, const http::Url& url, bool& is_mounted);
  absl::StatusOr<http::Url> StartUploadOrMount(const CallContext& context, const Target& target, const Digest& digest,
                                               const std::string& mount_from, bool& is_mounted);

  http::Client& client_;
  const RegistryClientOptions options_;
  Authenticator authenticator_;
};

}  // namespace strata::distribution

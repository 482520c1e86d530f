// One upstream registry: the conversation with it, and what is known of its health.
//
// Thread-safe; calls block. Whatever goes wrong comes back as one of three:
//   kNotFound           it has no such thing, or does not show it to us (401 and 403: Docker Hub says so of what does not exist)
//   kResourceExhausted  it limits our rate
//   kUnavailable        all else: away, too slow, broken, not trusted, or its content does not match its digest
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"
#include "lib/distribution/registry_client.h"
#include "lib/http/client.h"
#include "lib/metrics/metrics.h"
#include "services/registry/mirror/mirror_config.h"

namespace strata::registry::mirror {

struct UpstreamBlob {
  std::unique_ptr<ByteSource> source;  // ends only when the content is verified
  std::optional<uint64_t> declared_bytes;
};

class Upstream {
 public:
  // How long an upstream that failed is not asked for what we hold an old copy of.
  static constexpr absl::Duration kRest = absl::Seconds(10);

  // `clock` and `metrics` outlive this object.
  Upstream(MirrorConfig config, const Clock& clock, metrics::Registry& metrics);

  absl::StatusOr<distribution::FetchedManifest> FetchManifest(const CallContext& context, const std::string& name, const std::string& reference);
  absl::StatusOr<distribution::ManifestDescription> DescribeManifest(const CallContext& context, const std::string& name,
                                                                     const std::string& reference);
  // The source must not outlive this object nor the context's cancellation. Its failures are those of this class as well.
  absl::StatusOr<UpstreamBlob> FetchBlob(const CallContext& context, const std::string& name, const Digest& digest);
  absl::StatusOr<std::optional<uint64_t>> DescribeBlob(const CallContext& context, const std::string& name, const Digest& digest);
  absl::StatusOr<std::vector<std::string>> ListTags(const CallContext& context, const std::string& name);

  // It failed less than kRest ago.
  bool is_resting() const;
  const MirrorConfig& config() const { return config_; }

 private:
  class Source;
  distribution::RemoteRepository At(const std::string& name) const { return {config_.upstream.Authority(), name}; }
  // Notes success or failure, and translates the latter.
  absl::Status Noted(const absl::Status& status);
  template <typename T>
  absl::StatusOr<T> Noted(absl::StatusOr<T> result) {
    absl::Status status = Noted(result.status());
    if (!status.ok()) return status;
    return result;
  }

  const MirrorConfig config_;
  const Clock& clock_;
  http::Client http_;
  distribution::RegistryClient client_;
  metrics::Counter& errors_;
  metrics::Counter& bytes_;
  mutable Mutex mutex_;
  absl::Time failed_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace strata::registry::mirror

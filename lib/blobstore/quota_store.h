// Quotas: how much the repositories under a prefix may hold. proto/strata/store/v1/quota.proto is the same on the wire.
//
// A prefix is a repository name, and stands for that repository and all below it ("team": "team", "team/app"); the empty one stands for
// all. Charged are each blob that a repository can read, once a repository, and each manifest; bytes of unfinished uploads are held in
// reserve. Reserved repositories ("_build") are never charged. Where several quotas apply, each must hold. Why so: docs/adr/0012.
// Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"

namespace strata::blobstore {

// 0: no limit.
struct QuotaLimits {
  int64_t bytes = 0;
  int64_t manifests = 0;
};

struct Quota {
  std::string prefix;
  QuotaLimits limits;
  int64_t used_bytes = 0;
  int64_t used_manifests = 0;
  int64_t reserved_bytes = 0;  // by unfinished uploads
};

class QuotaStore {
 public:
  virtual ~QuotaStore() = default;

  // Sets or changes a quota. The first time what is there is counted, while pushes go on; the quota holds once this returns. A limit
  // below what is used already only refuses more. kInvalidArgument: bad prefix, a limit below 0, or none above it.
  virtual absl::StatusOr<Quota> SetQuota(const CallContext& context, absl::string_view prefix, const QuotaLimits& limits) = 0;
  // kNotFound.
  virtual absl::Status DeleteQuota(const CallContext& context, absl::string_view prefix) = 0;
  // All, by prefix.
  virtual absl::StatusOr<std::vector<Quota>> ListQuotas(const CallContext& context) = 0;
};

}  // namespace strata::blobstore

// All base images of one plan, resolved side by side before the stages are read: a registry's answer takes its time.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/builder/frontend/base_images.h"

namespace strata::frontend {

class BaseTable {
 public:
  // All three must outlive this object.
  BaseTable(const CallContext& context, BaseImages& images) : context_(context), images_(images) {}

  // Resolves what is not yet known, several at once. Failures are kept and told by Get().
  void Prefetch(const std::vector<std::pair<std::string, oci::Platform>>& wanted);
  // The image; resolves it when Prefetch did not.
  const absl::StatusOr<BaseImage>& Get(const std::string& reference, const oci::Platform& platform);

 private:
  using Key = std::pair<std::string, std::string>;  // reference, platform
  const CallContext& context_;
  BaseImages& images_;
  std::map<Key, absl::StatusOr<BaseImage>> known_;
};

}  // namespace strata::frontend

// Where the frontend learns what a base image is: its config and its layers. services/builder/source implements it; tests use fakes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"
#include "lib/oci/image_config.h"
#include "lib/oci/platform.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::frontend {

struct BaseImage {
  Digest manifest;
  oci::ImageConfig config;
  std::vector<snapshot::Layer> layers;
};

class BaseImages {
 public:
  virtual ~BaseImages() = default;
  // kInvalidArgument: not an image reference. kNotFound: no such image; the message says where it was looked for.
  // Thread-safe; blocks.
  virtual absl::StatusOr<BaseImage> Resolve(const CallContext& context, absl::string_view reference,
                                            const oci::Platform& platform) = 0;
};

}  // namespace strata::frontend

// How the image commands show what the builder says about images.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "lib/json/json.h"
#include "proto/strata/builder/v1/image.pb.h"

namespace strata::cli {

// "app:1", or "<none>" for an untagged image.
std::string NameOf(const builder::v1::ImageSummary& summary);
// What docker calls the image id: the config's digest, or the manifest's when there is no single config.
std::string IdOf(const builder::v1::ImageSummary& summary);
absl::Time CreatedOf(const builder::v1::ImageSummary& summary);
json::Value ToJson(const builder::v1::ImageSummary& summary);

}  // namespace strata::cli

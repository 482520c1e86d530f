#include "cli/commands/image_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/rpc/timestamp.h"

namespace strata::cli {

std::string NameOf(const builder::v1::ImageSummary& summary) {
  if (summary.repository().empty() || summary.tag().empty()) return "<none>";
  return absl::StrCat(summary.repository(), ":", summary.tag());
}

std::string IdOf(const builder::v1::ImageSummary& summary) {
  return summary.config_digest().empty() ? summary.manifest_digest() : summary.config_digest();
}

absl::Time CreatedOf(const builder::v1::ImageSummary& summary) {
  return summary.has_created() ? rpc::ToTime(summary.created()) : absl::UnixEpoch();
}

json::Value ToJson(const builder::v1::ImageSummary& summary) {
  json::Value value = {{"repository", summary.repository()},
                       {"tag", summary.tag()},
                       {"id", IdOf(summary)},
                       {"manifest_digest", summary.manifest_digest()},
                       {"config_digest", summary.config_digest()},
                       {"created", nullptr},
                       {"size_bytes", summary.size_bytes()},
                       {"platforms", std::vector<std::string>(summary.platforms().begin(), summary.platforms().end())}};
  if (summary.has_created()) {
    value["created"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", rpc::ToTime(summary.created()), absl::UTCTimeZone());
  }
  return value;
}

}  // namespace strata::cli

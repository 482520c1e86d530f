#include "services/registry/routes/referrers.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "services/registry/routes/errors.h"
#include "services/registry/routes/page.h"

namespace strata::registry {
namespace {

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr PageLimits kReferrerPages = {.otherwise = 1000, .most = 1000};

json::Value ToDescriptor(const blobstore::Referrer& referrer) {
  json::Value descriptor = json::Value::object();
  descriptor["mediaType"] = referrer.media_type;
  descriptor["digest"] = referrer.digest.ToString();
  descriptor["size"] = referrer.size_bytes;
  if (!referrer.artifact_type.empty()) descriptor["artifactType"] = referrer.artifact_type;
  if (!referrer.annotations.empty()) {
    json::Value annotations = json::Value::object();
    for (const auto& [key, value] : referrer.annotations) annotations[key] = value;
    descriptor["annotations"] = std::move(annotations);
  }
  return descriptor;
}

// The JSON of as many referrers as fit on a page, at least one; returns how many.
size_t AppendDescriptors(const std::vector<blobstore::Referrer>& referrers, std::string& body) {
  for (size_t i = 0; i < referrers.size(); ++i) {
    const std::string descriptor = json::Dump(ToDescriptor(referrers[i]));
    if (i > 0 && body.size() + descriptor.size() > kMaxReferrersPageBytes) return i;
    absl::StrAppend(&body, i > 0 ? "," : "", descriptor);
  }
  return referrers.size();
}

}  // namespace

absl::Status ListReferrers(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const Digest subject, About(Subject::kDigest, Digest::Parse(exchange.route.last)));
  STRATA_ASSIGN_OR_RETURN(const PageRequest page, ParsePage(exchange.request.query, kReferrerPages));
  const std::string& repository = exchange.route.repository;
  const absl::string_view artifact_type = exchange.request.query.Get("artifactType");
  http::Headers& headers = exchange.response.headers();
  http::QueryParameters filter;
  if (!artifact_type.empty()) {
    filter.Add("artifactType", artifact_type);
    headers.Set("OCI-Filters-Applied", "artifactType");
  }
  std::string body = absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kIndexType, R"(","manifests":[)");
  if (!page.is_empty()) {
    STRATA_ASSIGN_OR_RETURN(const auto found,
                            exchange.services.refs.ListReferrers(exchange.context, repository, subject, artifact_type,
                                                                 page.last, page.limit));
    const size_t shown = AppendDescriptors(found.items, body);
    if (shown > 0 && (shown < found.items.size() || found.has_more)) {
      AddNextLink(headers, absl::StrCat("/v2/", repository, "/referrers/", subject.ToString()), page,
                  found.items[shown - 1].digest.ToString(), filter);
    }
  }
  body += "]}";
  return exchange.response.SendText(kIndexType, body);
}

}  // namespace strata::registry

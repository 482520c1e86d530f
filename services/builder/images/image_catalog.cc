#include "services/builder/images/image_catalog.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/glob/glob.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "services/builder/source/stored_image.h"

namespace strata::images {

namespace {

constexpr int kPage = 1000;
constexpr size_t kMaxConfigBytes = 8 * 1024 * 1024;

// "", or the hex digits of an id.
absl::string_view IdIn(absl::string_view text) {
  const absl::string_view hex = absl::StripPrefix(text, "sha256:");
  const bool is_id = hex.size() >= 4 && hex.size() <= 64 && hex.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
  return is_id ? hex : "";
}

absl::Status NoSuchImage(absl::string_view text) {
  return absl::NotFoundError(absl::StrCat("no such image: \"", text.substr(0, 200), "\"; list what there is with: strata images -a"));
}

// What the config of one manifest says of the image.
void AddConfig(const std::string& content, ImageSummary& summary) {
  const auto config = oci::ImageConfig::Parse(content);
  if (!config.ok()) return;  // an artifact's config says nothing of platforms or times
  const bool is_known = !config->platform.os.empty() && config->platform.os != "unknown";
  if (is_known) summary.platforms.push_back(config->platform.ToString());
  if (config->created) summary.created = std::max(summary.created, *config->created);
}

}  // namespace

std::string ImageName::ToString() const {
  const std::string name = oci::DisplayName(repository);
  return tag.empty() ? absl::StrCat(name, "@", digest.ToString()) : absl::StrCat(name, ":", tag);
}

absl::Status ImageCatalog::ForEachRepository(const CallContext& context, const std::function<absl::Status(const std::string&)>& visit) {
  std::string last;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const auto page, refs_.ListRepositories(context, last, kPage));
    for (const std::string& repository : page.items) STRATA_RETURN_IF_ERROR(visit(repository));
    if (!page.has_more || page.items.empty()) return absl::OkStatus();
    last = page.items.back();
  }
}

absl::Status ImageCatalog::ForEachTag(const CallContext& context, const std::string& repository,
                                      const std::function<absl::Status(const blobstore::TagEntry&)>& visit) {
  std::string last;
  while (true) {
    auto page = refs_.ListTags(context, repository, last, kPage);
    if (absl::IsNotFound(page.status())) return absl::OkStatus();  // gone since it was listed
    if (!page.ok()) return page.status();
    for (const blobstore::TagEntry& tag : page->items) STRATA_RETURN_IF_ERROR(visit(tag));
    if (!page->has_more || page->items.empty()) return absl::OkStatus();
    last = page->items.back().name;
  }
}

absl::Status ImageCatalog::ForEachManifest(const CallContext& context, const std::string& repository,
                                           const std::function<absl::Status(const blobstore::ManifestEntry&)>& visit) {
  std::string last;
  while (true) {
    auto page = refs_.ListManifests(context, repository, last, kPage);
    if (absl::IsNotFound(page.status())) return absl::OkStatus();
    if (!page.ok()) return page.status();
    for (const blobstore::ManifestEntry& manifest : page->items) STRATA_RETURN_IF_ERROR(visit(manifest));
    if (!page->has_more || page->items.empty()) return absl::OkStatus();
    last = page->items.back().digest.ToString();
  }
}

absl::StatusOr<ImageSummary> ImageCatalog::Summarize(const CallContext& context, ImageName name) {
  ImageSummary summary;
  std::vector<Digest> digests = {name.digest};
  std::set<Digest> seen = {name.digest};
  const auto count = [&](const oci::Descriptor& blob) {
    if (seen.insert(blob.digest).second) summary.size_bytes += blob.size_bytes;
  };
  bool is_index = false;
  while (!digests.empty()) {
    const Digest digest = digests.back();
    digests.pop_back();
    const auto stored = refs_.GetManifest(context, name.repository, {.digest = digest});
    if (absl::IsNotFound(stored.status()) && digest != name.digest) continue;
    if (!stored.ok()) return stored.status();
    STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored->content, stored->media_type));
    summary.size_bytes += static_cast<int64_t>(stored->size_bytes);
    is_index = is_index || manifest.is_index;
    for (auto child = manifest.manifests.rbegin(); child != manifest.manifests.rend(); ++child) {
      if (seen.insert(child->digest).second) digests.push_back(child->digest);
    }
    for (const oci::Descriptor& layer : manifest.layers) count(layer);
    if (!manifest.config) continue;
    count(*manifest.config);
    if (!is_index) summary.config = manifest.config->digest;
    if (manifest.config->size_bytes > static_cast<int64_t>(kMaxConfigBytes)) continue;
    STRATA_ASSIGN_OR_RETURN(const std::string content, source::ReadSmallBlob(context, blobs_, name.repository, manifest.config->digest,
                                                                             kMaxConfigBytes));
    AddConfig(content, summary);
  }
  summary.name = std::move(name);
  return summary;
}

absl::StatusOr<std::vector<ImageSummary>> ImageCatalog::List(const CallContext& context, absl::string_view pattern, bool all) {
  std::optional<glob::Pattern> wanted;
  if (!pattern.empty()) {
    auto compiled = glob::Pattern::Compile(pattern);
    if (!compiled.ok()) return Annotate(compiled.status(), absl::StrCat("pattern \"", pattern.substr(0, 200), "\""));
    wanted = *std::move(compiled);
  }
  std::vector<ImageSummary> images;
  const auto add = [&](ImageName name) -> absl::Status {
    const std::string shown = oci::DisplayName(name.repository);
    if (wanted && !wanted->Matches(shown) && !wanted->Matches(absl::StrCat(shown, ":", name.tag))) return absl::OkStatus();
    auto summary = Summarize(context, std::move(name));
    if (absl::IsNotFound(summary.status())) return absl::OkStatus();  // removed while we looked
    if (!summary.ok()) return summary.status();
    images.push_back(*std::move(summary));
    return absl::OkStatus();
  };
  STRATA_RETURN_IF_ERROR(ForEachRepository(context, [&](const std::string& repository) -> absl::Status {
    std::set<Digest> tagged;
    STRATA_RETURN_IF_ERROR(ForEachTag(context, repository, [&](const blobstore::TagEntry& tag) {
      tagged.insert(tag.digest);
      return add({repository, tag.name, tag.digest});
    }));
    if (!all) return absl::OkStatus();
    return ForEachManifest(context, repository, [&](const blobstore::ManifestEntry& manifest) {
      return tagged.contains(manifest.digest) ? absl::OkStatus() : add({repository, "", manifest.digest});
    });
  }));
  return images;
}

absl::StatusOr<FoundImage> ImageCatalog::Find(const CallContext& context, absl::string_view text) {
  auto reference = oci::Reference::Parse(text);
  if (reference.ok()) {
    std::vector<std::string> repositories = {RepositoryOf(*reference)};
    // A base that came from the default registry is kept under its host, but people write it without.
    if (reference->host.empty() && !default_registry_.empty()) {
      oci::Reference kept = *reference;
      kept.host = default_registry_;
      repositories.push_back(kept.StoreRepository({}));
    }
    blobstore::ManifestReference wanted{.digest = reference->digest};
    if (!wanted.digest) wanted.tag = reference->TagOrLatest();
    for (const std::string& repository : repositories) {
      const auto stored = refs_.GetManifest(context, repository, wanted, /*head_only=*/true);
      if (stored.ok()) return FoundImage{{repository, wanted.tag, stored->digest}, wanted.digest ? NamedBy::kDigest : NamedBy::kTag};
      if (!absl::IsNotFound(stored.status())) return stored.status();
    }
  }
  if (const absl::string_view hex = IdIn(text); !hex.empty()) return FindId(context, hex);
  if (!reference.ok()) return reference.status();
  return NoSuchImage(text);
}

absl::StatusOr<FoundImage> ImageCatalog::FindId(const CallContext& context, absl::string_view hex) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageSummary> images, List(context, "", /*all=*/true));
  const ImageName* found = nullptr;
  for (const ImageSummary& image : images) {
    const bool fits = absl::StartsWith(image.name.digest.hex(), hex) || absl::StartsWith(image.config.hex(), hex);
    if (!fits) continue;
    if (found != nullptr && found->digest != image.name.digest) {
      return absl::InvalidArgumentError(absl::StrCat("id \"", hex, "\" fits several images, ", found->ToString(), " and ",
                                                     image.name.ToString(), "; write more digits"));
    }
    if (found == nullptr) found = &image.name;
  }
  if (found == nullptr) return NoSuchImage(hex);
  return FoundImage{*found, NamedBy::kId};
}

absl::StatusOr<std::vector<ImageName>> ImageCatalog::NamesOf(const CallContext& context, const Digest& digest) {
  std::vector<ImageName> names;
  STRATA_RETURN_IF_ERROR(ForEachRepository(context, [&](const std::string& repository) {
    return ForEachTag(context, repository, [&](const blobstore::TagEntry& tag) {
      if (tag.digest == digest) names.push_back({repository, tag.name, digest});
      return absl::OkStatus();
    });
  }));
  return names;
}

absl::StatusOr<std::vector<std::string>> ImageCatalog::RepositoriesOf(const CallContext& context, const Digest& digest) {
  std::vector<std::string> repositories;
  STRATA_RETURN_IF_ERROR(ForEachRepository(context, [&](const std::string& repository) {
    const auto stored = refs_.GetManifest(context, repository, {.digest = digest}, /*head_only=*/true);
    if (stored.ok()) repositories.push_back(repository);
    return absl::IsNotFound(stored.status()) ? absl::OkStatus() : stored.status();
  }));
  return repositories;
}

}  // namespace strata::images

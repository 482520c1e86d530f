#include "services/builder/images/image_catalog.h"

#include <algorithm>
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

absl::string_view HexOf(absl::string_view text) { return absl::StripPrefix(text, "sha256:"); }

absl::Status NoSuchImage(absl::string_view text) {
  return absl::NotFoundError(absl::StrCat("no such image: \"", text.substr(0, 200), "\"; list what there is with: strata images -a"));
}

}  // namespace

std::string ImageName::ToString() const {
  const std::string name = oci::DisplayName(repository);
  return tag.empty() ? absl::StrCat(name, "@", digest.ToString()) : absl::StrCat(name, ":", tag);
}

bool ImageCatalog::LooksLikeId(absl::string_view text) {
  const absl::string_view hex = HexOf(text);
  return hex.size() >= 4 && hex.size() <= 64 && hex.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

template <typename Visit>
absl::Status ImageCatalog::ForEachRepository(const CallContext& context, Visit visit) {
  std::string last;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const auto page, refs_.ListRepositories(context, last, kPage));
    for (const std::string& repository : page.items) STRATA_RETURN_IF_ERROR(visit(repository));
    if (!page.has_more || page.items.empty()) return absl::OkStatus();
    last = page.items.back();
  }
}

template <typename Visit>
absl::Status ImageCatalog::ForEachTag(const CallContext& context, const std::string& repository, Visit visit) {
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

template <typename Visit>
absl::Status ImageCatalog::ForEachManifest(const CallContext& context, const std::string& repository, Visit visit) {
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
  bool is_index = false;
  while (!digests.empty()) {
    const Digest digest = digests.back();
    digests.pop_back();
    STRATA_ASSIGN_OR_RETURN(const auto stored, refs_.GetManifest(context, name.repository, {.digest = digest}));
    STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
    summary.size_bytes += static_cast<int64_t>(stored.size_bytes);
    is_index = is_index || manifest.is_index;
    for (const oci::Descriptor& child : manifest.manifests) digests.push_back(child.digest);
    for (const oci::Descriptor& layer : manifest.layers) summary.size_bytes += layer.size_bytes;
    if (!manifest.config) continue;
    summary.size_bytes += manifest.config->size_bytes;
    if (!is_index) summary.config = manifest.config->digest;
    const auto content = source::ReadSmallBlob(context, blobs_, name.repository, manifest.config->digest, kMaxConfigBytes);
    if (!content.ok()) return content.status();
    const auto config = oci::ImageConfig::Parse(*content);
    if (!config.ok()) continue;  // an artifact's config says nothing of platforms or times
    if (!config->platform.os.empty()) summary.platforms.push_back(config->platform.ToString());
    if (config->created) summary.created = std::max(summary.created, *config->created);
  }
  summary.name = std::move(name);
  return summary;
}

absl::StatusOr<std::vector<ImageSummary>> ImageCatalog::List(const CallContext& context, absl::string_view pattern, bool all) {
  std::optional<glob::Pattern> wanted;
  if (!pattern.empty()) {
    STRATA_ASSIGN_OR_RETURN(wanted, glob::Pattern::Compile(pattern));
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

absl::StatusOr<ImageName> ImageCatalog::Find(const CallContext& context, absl::string_view text) {
  auto reference = oci::Reference::Parse(text);
  if (reference.ok()) {
    std::vector<std::string> repositories = {RepositoryOf(*reference)};
    // A base that came from the default registry is kept under its host, but people write it without.
    if (reference->host.empty() && !default_registry_.empty()) {
      oci::Reference kept = *reference;
      kept.host = default_registry_;
      repositories.push_back(kept.StoreRepository({}));
    }
    for (const std::string& repository : repositories) {
      const blobstore::ManifestReference wanted{.tag = reference->TagOrLatest(), .digest = reference->digest};
      const auto stored = refs_.GetManifest(context, repository, wanted, /*head_only=*/true);
      if (stored.ok()) return ImageName{repository, reference->digest ? "" : wanted.tag, stored->digest};
      if (!absl::IsNotFound(stored.status())) return stored.status();
    }
  }
  if (LooksLikeId(text)) return FindId(context, HexOf(text));
  if (!reference.ok()) return reference.status();
  return NoSuchImage(text);
}

absl::StatusOr<ImageName> ImageCatalog::FindId(const CallContext& context, absl::string_view hex) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageSummary> images, List(context, "", /*all=*/true));
  const ImageName* found = nullptr;
  for (const ImageSummary& image : images) {
    const bool fits = absl::StartsWith(image.name.digest.hex(), hex) || absl::StartsWith(image.config.hex(), hex);
    if (!fits) continue;
    if (found != nullptr && found->digest != image.name.digest) {
      return absl::InvalidArgumentError(absl::StrCat("id \"", hex, "\" fits several images; write more digits"));
    }
    if (found == nullptr) found = &image.name;
  }
  if (found == nullptr) return NoSuchImage(hex);
  return *found;
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

}  // namespace strata::images

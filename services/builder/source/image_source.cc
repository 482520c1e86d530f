#include "services/builder/source/image_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/status.h"
#include "services/builder/source/stored_image.h"

namespace strata::source {

namespace {

// What is kept of another registry's tag is one platform of it; other platforms than the builder's own get a tag of their own.
std::string KeptTag(const std::string& tag, const oci::Platform& platform) {
  if (platform.Matches(oci::Platform::Host())) return tag;
  return absl::StrCat(tag.substr(0, 90), "__", absl::StrReplaceAll(platform.ToString(), {{"/", "_"}}));
}

}  // namespace

absl::StatusOr<frontend::BaseImage> ImageSource::FromStore(const CallContext& context, const std::string& repository,
                                                           const blobstore::ManifestReference& reference,
                                                           const oci::Platform& platform) {
  STRATA_ASSIGN_OR_RETURN(StoredImage stored, OpenStoredImage(context, blobs_, refs_, repository, reference, platform));
  // A single manifest says nothing of its platform; its config does.
  const bool is_other = !stored.config.platform.os.empty() && (stored.config.platform.os != platform.os ||
                                                              stored.config.platform.architecture != platform.architecture);
  if (is_other) {
    return absl::NotFoundError(absl::StrCat("image ", repository, " is for ", stored.config.platform.ToString(), ", not for ",
                                            platform.ToString()));
  }
  return frontend::BaseImage{stored.raw.digest, std::move(stored.config), std::move(stored.layers)};
}

absl::StatusOr<frontend::BaseImage> ImageSource::FromRegistry(const CallContext& context, const oci::Reference& reference,
                                                              const std::string& repository, const oci::Platform& platform) {
  const std::string& host = reference.host.empty() ? options_.default_registry : reference.host;
  PullRequest request;
  request.remote = {.host = host, .path = reference.path};
  request.reference = reference.digest ? reference.digest->ToString() : reference.TagOrLatest();
  request.repository = repository;
  if (!reference.digest) request.tag = KeptTag(reference.TagOrLatest(), platform);
  request.platform = platform;
  const uint32_t step = progress_.AddStep(absl::StrCat("pull ", request.remote.ToString(), ":", request.reference));
  progress_.SetState(step, progress::StepState::kRunning);
  const auto report = [&](const Digest& digest, absl::string_view, int64_t current_bytes, int64_t total_bytes) {
    progress_.Bytes(step, absl::StrCat("fetching ", digest.hex().substr(0, 12)), current_bytes, total_bytes);
  };
  auto pulled = puller_.Pull(context, registry_, request, report);
  progress_.SetState(step, pulled.ok() ? progress::StepState::kDone : progress::StepState::kFailed,
                     std::string(pulled.status().message()));
  if (!pulled.ok()) return pulled.status();
  return FromStore(context, repository, {.digest = *pulled}, platform);
}

absl::StatusOr<frontend::BaseImage> ImageSource::Resolve(const CallContext& context, absl::string_view text,
                                                         const oci::Platform& platform) {
  STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(text));
  const std::string own_repository = reference.StoreRepository(options_.own_hosts);
  const bool is_own = own_repository == reference.path;
  std::string looked_in;
  const auto look = [&](const std::string& repository, const std::string& tag) -> absl::StatusOr<frontend::BaseImage> {
    blobstore::ManifestReference wanted{.tag = tag, .digest = reference.digest};
    auto found = FromStore(context, repository, wanted, platform);
    if (absl::IsNotFound(found.status())) {
      absl::StrAppend(&looked_in, looked_in.empty() ? "" : "; ", "the store, repository \"", repository, "\": ", found.status().message());
    }
    return found;
  };

  if (is_own) {
    auto found = look(own_repository, reference.TagOrLatest());
    if (!absl::IsNotFound(found.status())) return found;
  }
  const bool has_registry = !is_own || (reference.host.empty() && !options_.default_registry.empty());
  if (has_registry) {
    oci::Reference remote = reference;
    if (remote.host.empty()) remote.host = options_.default_registry;
    const std::string kept = remote.StoreRepository({});
    if (!options_.pull || reference.digest) {
      auto found = look(kept, KeptTag(reference.TagOrLatest(), platform));
      if (!absl::IsNotFound(found.status())) return found;
    }
    auto pulled = FromRegistry(context, reference, kept, platform);
    if (pulled.ok() || absl::IsCancelled(pulled.status())) return pulled;
    absl::StrAppend(&looked_in, looked_in.empty() ? "" : "; ", "registry ", remote.host, ": ", pulled.status().message());
    return absl::Status(pulled.status().code(), absl::StrCat("base image \"", text, "\" not found; looked in ", looked_in));
  }
  return absl::NotFoundError(absl::StrCat("base image \"", text, "\" not found; looked in ", looked_in,
                                          "; push or import it first (strata import, docker push)"));
}

}  // namespace strata::source

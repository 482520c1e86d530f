#include "services/builder/images/image_transfer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/platform.h"
#include "services/builder/images/image_editor.h"
#include "services/builder/images/image_pusher.h"

namespace strata::images {

bool ImageTransfer::IsOwn(const std::string& host) const {
  return std::find(own_hosts_.begin(), own_hosts_.end(), host) != own_hosts_.end();
}

absl::StatusOr<TransferResult> ImageTransfer::Pull(const CallContext& context, distribution::RegistryClient& registry,
                                                   const PullSpec& spec, const source::TransferReport& report) {
  STRATA_ASSIGN_OR_RETURN(oci::Reference reference, oci::Reference::Parse(spec.reference));
  if (IsOwn(reference.host)) {
    STRATA_ASSIGN_OR_RETURN(const FoundImage found, catalog_.Find(context, spec.reference));
    return TransferResult{found.name.digest, found.name.ToString()};
  }
  if (reference.host.empty()) reference.host = default_registry_;
  if (reference.host.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", spec.reference, "\" does not say which registry to pull from, and no default "
                                                   "registry is configured; write: strata pull HOST/", spec.reference));
  }
  source::PullRequest request;
  request.remote = {.host = reference.host, .path = reference.path};
  request.reference = reference.digest ? reference.digest->ToString() : reference.TagOrLatest();
  request.repository = reference.StoreRepository({});
  if (!reference.digest) request.tag = reference.TagOrLatest();
  if (!spec.platform.empty()) {
    if (spec.all_platforms) return absl::InvalidArgumentError("give one platform or all of them, not both");
    STRATA_ASSIGN_OR_RETURN(request.platform, oci::Platform::Parse(spec.platform));
  } else if (!spec.all_platforms) {
    request.platform = oci::Platform::Host();
  }
  const auto pulled = puller_.Pull(context, registry, request, report);
  if (!pulled.ok()) return Annotate(pulled.status(), absl::StrCat("pulling ", reference.ToString()));
  return TransferResult{*pulled, ImageName{request.repository, request.tag, *pulled}.ToString()};
}

absl::StatusOr<TransferResult> ImageTransfer::Push(const CallContext& context, distribution::RegistryClient& registry,
                                                   const PushSpec& spec, const source::TransferReport& report) {
  STRATA_ASSIGN_OR_RETURN(const FoundImage image, catalog_.Find(context, spec.source));
  // An image found by its id, or under the default registry's name, has a name that says more than the text.
  const std::string text = !spec.target.empty() ? spec.target : image.name.ToString();
  STRATA_ASSIGN_OR_RETURN(const oci::Reference target, oci::Reference::Parse(text));
  if (target.digest) return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" names no tag to push to; write HOST/NAME:TAG"));
  if (target.host.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" does not say which registry to push to; images of this store's own "
                                                   "registry are there already. Write: strata push ", spec.source, " HOST/", text));
  }
  if (IsOwn(target.host)) {
    ImageEditor editor(catalog_, refs_);
    STRATA_ASSIGN_OR_RETURN(const Digest digest, editor.Tag(context, spec.source, text));
    return TransferResult{digest, target.ToString()};
  }
  ImagePusher pusher(blobs_, refs_);
  const distribution::RemoteRepository remote{.host = target.host, .path = target.path};
  STRATA_ASSIGN_OR_RETURN(const Digest digest, pusher.Push(context, registry, image.name, remote, target.TagOrLatest(), report));
  return TransferResult{digest, absl::StrCat(remote.ToString(), ":", target.TagOrLatest())};
}

}  // namespace strata::images

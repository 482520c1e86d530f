#include "services/builder/images/image_editor.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/manifest.h"

namespace strata::images {

absl::StatusOr<Digest> ImageEditor::Tag(const CallContext& context, absl::string_view source, absl::string_view target) {
  STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(target));
  if (reference.digest) return absl::InvalidArgumentError(absl::StrCat("\"", target, "\": a name must not have a digest"));
  STRATA_ASSIGN_OR_RETURN(const ImageName image, catalog_.Find(context, source));
  const std::string repository = catalog_.RepositoryOf(reference);
  if (repository == image.repository) {
    STRATA_RETURN_IF_ERROR(refs_.SetTag(context, repository, reference.TagOrLatest(), image.digest));
  } else {
    STRATA_RETURN_IF_ERROR(Copy(context, image.repository, repository, image.digest, reference.TagOrLatest()));
  }
  return image.digest;
}

// Children first: the store refuses an index that names what the repository lacks.
absl::Status ImageEditor::Copy(const CallContext& context, const std::string& from, const std::string& to, const Digest& digest,
                               const std::string& tag) {
  STRATA_ASSIGN_OR_RETURN(const auto stored, refs_.GetManifest(context, from, {.digest = digest}));
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
  for (const oci::Descriptor& child : manifest.manifests) {
    STRATA_RETURN_IF_ERROR(Copy(context, from, to, child.digest, ""));
  }
  blobstore::PutManifestOptions options;
  options.link_blobs = true;
  if (!tag.empty()) options.tags = {tag};
  return refs_.PutManifest(context, to, stored.media_type, stored.content, options).status();
}

absl::StatusOr<Removal> ImageEditor::Remove(const CallContext& context, absl::string_view text, bool force) {
  STRATA_ASSIGN_OR_RETURN(const ImageName image, catalog_.Find(context, text));
  std::vector<ImageName> names = {image};
  const bool by_digest = image.tag.empty();
  // What was found although no such name exists was found by its id.
  const auto reference = oci::Reference::Parse(text);
  const bool by_name = !by_digest && reference.ok() && reference->TagOrLatest() == image.tag &&
                       (oci::DisplayName(image.repository) == oci::DisplayName(catalog_.RepositoryOf(*reference)) ||
                        !ImageCatalog::LooksLikeId(text));
  if (!by_name) {
    STRATA_ASSIGN_OR_RETURN(names, catalog_.NamesOf(context, image.digest));
    if (names.size() > 1 && !force) {
      return absl::FailedPreconditionError(absl::StrCat("image ", text, " has ", names.size(), " names (", names[0].ToString(), ", ",
                                                        names[1].ToString(), names.size() > 2 ? ", …" : "",
                                                        "); remove them by name, or all with: strata rmi -f"));
    }
  }
  Removal removal;
  for (const ImageName& name : names) {
    if (name.tag.empty()) continue;
    STRATA_RETURN_IF_ERROR(refs_.DeleteTag(context, name.repository, name.tag).status());
    removal.untagged.push_back(name.ToString());
    STRATA_RETURN_IF_ERROR(DeleteIfNameless(context, name.repository, name.digest, removal));
  }
  if (names.empty() || by_digest) STRATA_RETURN_IF_ERROR(DeleteIfNameless(context, image.repository, image.digest, removal));
  return removal;
}

absl::Status ImageEditor::DeleteIfNameless(const CallContext& context, const std::string& repository, const Digest& digest,
                                           Removal& removal) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageName> left, catalog_.NamesOf(context, digest));
  for (const ImageName& name : left) {
    if (name.repository == repository) return absl::OkStatus();
  }
  const auto stored = refs_.GetManifest(context, repository, {.digest = digest});
  if (absl::IsNotFound(stored.status())) return absl::OkStatus();
  if (!stored.ok()) return stored.status();
  const auto deleted = refs_.DeleteManifest(context, repository, digest);
  // An index still names it: it stays as part of that one.
  if (absl::IsFailedPrecondition(deleted.status())) return absl::OkStatus();
  if (!deleted.ok()) return deleted.status();
  if (left.empty()) removal.deleted.push_back(digest.ToString());
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored->content, stored->media_type));
  for (const oci::Descriptor& child : manifest.manifests) {
    STRATA_RETURN_IF_ERROR(DeleteIfNameless(context, repository, child.digest, removal));
  }
  return absl::OkStatus();
}

}  // namespace strata::images

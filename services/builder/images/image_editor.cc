#include "services/builder/images/image_editor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/manifest.h"

namespace strata::images {

absl::StatusOr<Digest> ImageEditor::Tag(const CallContext& context, absl::string_view source, absl::string_view target) {
  STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(target));
  if (reference.digest || (reference.host.empty() && reference.path == "sha256")) {
    return absl::InvalidArgumentError(absl::StrCat("\"", target, "\": a name must not have a digest; write NAME[:TAG]"));
  }
  STRATA_ASSIGN_OR_RETURN(const FoundImage image, catalog_.Find(context, source));
  const std::string repository = catalog_.RepositoryOf(reference);
  if (repository == image.name.repository) {
    STRATA_RETURN_IF_ERROR(refs_.SetTag(context, repository, reference.TagOrLatest(), image.name.digest));
  } else {
    std::set<Digest> visited;
    STRATA_RETURN_IF_ERROR(Copy(context, image.name.repository, repository, image.name.digest, reference.TagOrLatest(), visited));
  }
  return image.name.digest;
}

// Children first: the store refuses an index that names what the repository lacks.
absl::Status ImageEditor::Copy(const CallContext& context, const std::string& from, const std::string& to, const Digest& digest,
                               const std::string& tag, std::set<Digest>& visited) {
  STRATA_ASSIGN_OR_RETURN(const auto stored, refs_.GetManifest(context, from, {.digest = digest}));
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
  for (const oci::Descriptor& child : manifest.manifests) {
    if (!visited.insert(child.digest).second) continue;
    const absl::Status copied = Copy(context, from, to, child.digest, "", visited);
    // The store may lack a child that lies elsewhere by its URLs; when it must not, it says so itself.
    if (!copied.ok() && !absl::IsNotFound(copied)) return copied;
  }
  blobstore::PutManifestOptions options;
  options.link_blobs = true;
  options.expected_digest = digest;
  if (!tag.empty()) options.tags = {tag};
  return refs_.PutManifest(context, to, stored.media_type, stored.content, options).status();
}

absl::StatusOr<std::vector<ImageName>> ImageEditor::NamesToRemove(const CallContext& context, const FoundImage& image) {
  if (image.by == NamedBy::kTag) return std::vector<ImageName>{image.name};
  STRATA_ASSIGN_OR_RETURN(std::vector<ImageName> names, catalog_.NamesOf(context, image.name.digest));
  if (image.by == NamedBy::kDigest) {
    std::erase_if(names, [&](const ImageName& name) { return name.repository != image.name.repository; });
  }
  return names;
}

absl::StatusOr<Removal> ImageEditor::Remove(const CallContext& context, absl::string_view text, bool force) {
  STRATA_ASSIGN_OR_RETURN(const FoundImage image, catalog_.Find(context, text));
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageName> names, NamesToRemove(context, image));
  if (names.size() > 1 && !force) {
    return absl::FailedPreconditionError(absl::StrCat("image ", text, " has ", names.size(), " names (", names[0].ToString(), ", ",
                                                      names[1].ToString(), names.size() > 2 ? ", …" : "",
                                                      "); remove them by name, or all with: strata rmi -f ", text));
  }
  Removal removal;
  for (const ImageName& name : names) {
    const absl::Status untagged = refs_.DeleteTag(context, name.repository, name.tag).status();
    if (absl::IsNotFound(untagged) && names.size() > 1) continue;  // somebody else was faster
    if (!untagged.ok()) return untagged;
    removal.untagged.push_back(name.ToString());
  }
  std::vector<std::string> repositories = {image.name.repository};
  if (image.by == NamedBy::kId) {
    STRATA_ASSIGN_OR_RETURN(repositories, catalog_.RepositoriesOf(context, image.name.digest));
  }
  for (const std::string& repository : repositories) {
    STRATA_RETURN_IF_ERROR(DeleteIfNameless(context, repository, image.name.digest, removal));
  }
  if (removal.untagged.empty() && removal.deletions == 0) {
    return absl::FailedPreconditionError(absl::StrCat("image ", text, " is one platform of an index in ",
                                                      oci::DisplayName(image.name.repository), "; remove the index instead"));
  }
  return removal;
}

absl::Status ImageEditor::DeleteIfNameless(const CallContext& context, const std::string& repository, const Digest& digest,
                                           Removal& removal) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageName> names, catalog_.NamesOf(context, digest));
  const bool is_named = std::any_of(names.begin(), names.end(), [&](const ImageName& name) { return name.repository == repository; });
  if (is_named) return absl::OkStatus();
  const auto stored = refs_.GetManifest(context, repository, {.digest = digest});
  if (absl::IsNotFound(stored.status())) return absl::OkStatus();
  if (!stored.ok()) return stored.status();
  const auto deleted = refs_.DeleteManifest(context, repository, digest);
  // An index still names it: it stays as part of that one.
  if (absl::IsFailedPrecondition(deleted.status())) return absl::OkStatus();
  if (!deleted.ok()) return deleted.status();
  ++removal.deletions;
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> left, catalog_.RepositoriesOf(context, digest));
  if (left.empty()) removal.deleted.push_back(digest.ToString());
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored->content, stored->media_type));
  for (const oci::Descriptor& child : manifest.manifests) {
    STRATA_RETURN_IF_ERROR(DeleteIfNameless(context, repository, child.digest, removal));
  }
  return absl::OkStatus();
}

}  // namespace strata::images

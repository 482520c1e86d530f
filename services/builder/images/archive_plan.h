// From the documents of an image archive to the images it holds and what they are called. Pure; nothing is stored here.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/reference.h"
#include "services/builder/images/archive_contents.h"

namespace strata::images {

struct PlannedManifest {
  Digest digest;                // its bytes are contents.documents.at(digest)
  std::string media_type;
  std::vector<Digest> configs;  // and other small blobs it names that are in contents.documents: to be stored before it
};

struct PlannedImage {
  std::vector<oci::Reference> names;       // all with a tag; none: the archive gives it no name
  std::vector<PlannedManifest> manifests;  // children before the index that names them; the last is the image
};

// Each image of the archive once. OCI layout and docker-archive halves of one archive are taken together: documents come from the
// layout, names rather from manifest.json, which spells them as people do. Of an index that the archive holds only in part (Docker
// saves those), one platform is taken: this machine's, else the first that is complete.
// Adds to contents.documents the configs that it needs from files, and the manifests that a docker-archive does not have.
// kInvalidArgument: not an image archive, or what it names is missing, damaged or contradicts itself.
absl::StatusOr<std::vector<PlannedImage>> PlanImages(ArchiveContents& contents);

}  // namespace strata::images

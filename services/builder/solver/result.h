// What evaluating a vertex gives: a stack of layers, or a tree of files that is no image.
#pragma once

#include <memory>
#include <vector>

#include "lib/digest/digest.h"
#include "lib/oci/manifest.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::solver {

struct Result {
  std::vector<snapshot::Layer> layers;              // bottom first
  std::shared_ptr<const filetree::FileTree> files;  // of contexts and fetched files; null for layers

  // Names the content of `layers`; the empty digest for none.
  Digest ChainId() const {
    std::vector<Digest> diff_ids;
    for (const snapshot::Layer& layer : layers) diff_ids.push_back(layer.diff_id);
    return oci::ChainId(diff_ids);
  }
};

}  // namespace strata::solver

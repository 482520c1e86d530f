#include "services/builder/ops/input_tree.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/filetree/dir_tree.h"
#include "services/builder/filetree/selection.h"
#include "services/builder/ops/key_builder.h"

namespace strata::ops {

snapshot::FetchProgress ReportFetch(progress::Progress& progress, uint32_t step) {
  return [&progress, step](const snapshot::Layer& layer, int64_t current_bytes, int64_t total_bytes) {
    progress.Bytes(step, absl::StrCat("fetching layer ", layer.blob.hex().substr(0, 12)), current_bytes, total_bytes);
  };
}

absl::StatusOr<std::shared_ptr<const filetree::FileTree>> OpenInput(const CallContext& context, const OpEnvironment& environment,
                                                                    const solver::Result& input, progress::Progress& progress,
                                                                    uint32_t step) {
  if (input.files != nullptr) return input.files;
  STRATA_ASSIGN_OR_RETURN(auto stack, environment.snapshots.Acquire(context, input.layers, ReportFetch(progress, step)));
  STRATA_ASSIGN_OR_RETURN(std::shared_ptr<snapshot::View> view, environment.snapshots.CreateView(std::move(stack)));
  const int root_fd = view->root_fd();
  STRATA_ASSIGN_OR_RETURN(std::shared_ptr<const filetree::FileTree> tree, filetree::DirTree::Open(root_fd, std::move(view)));
  return tree;
}

absl::StatusOr<Digest> InputDigest(const CallContext& context, const OpEnvironment& environment, const solver::Result& input,
                                   const graph::CopyAction& action) {
  std::string key;
  if (input.files == nullptr) {
    KeyBuilder builder("content/2");
    builder.Add("chain", input.ChainId().ToString());
    builder.AddList("sources", action.sources);
    builder.AddList("excludes", action.excludes);
    builder.Add("parents", action.parents ? "yes" : "no");
    builder.Add("chown", action.chown.empty() ? "" : "replaced");
    builder.Add("chmod", action.chmod);
    key = builder.Finish();
    STRATA_ASSIGN_OR_RETURN(const auto known, environment.cache.FindContent(context, key));
    if (known) return *known;
  }
  progress::NullProgress unseen;
  STRATA_ASSIGN_OR_RETURN(const auto tree, OpenInput(context, environment, input, unseen, 0));
  const auto selected = filetree::Select(*tree, action);
  if (absl::IsNotFound(selected.status())) {
    return absl::NotFoundError(absl::StrCat(selected.status().message(),
                                            input.files != nullptr ? " in the build context; check the path, and that .dockerignore does not keep it out"
                                                                   : " in the image or stage that it is copied from"));
  }
  if (!selected.ok()) return selected.status();
  STRATA_ASSIGN_OR_RETURN(Digest digest, filetree::SelectionDigest(context, *tree, *selected, action));
  if (!key.empty()) STRATA_RETURN_IF_ERROR(environment.cache.PutContent(context, key, digest));
  return digest;
}

}  // namespace strata::ops

// COPY, ADD, heredocs and WORKDIR.
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/executor/root_dir.h"
#include "services/builder/executor/user_lookup.h"
#include "services/builder/filetree/copier.h"
#include "services/builder/filetree/selection.h"
#include "services/builder/ops/archive.h"
#include "services/builder/ops/input_tree.h"
#include "services/builder/ops/key_builder.h"
#include "services/builder/ops/layer_writer.h"
#include "services/builder/ops/steps.h"

namespace strata::ops {

namespace {

class FileStep {
 public:
  FileStep(const StepContext& step, snapshot::Workspace& workspace, const executor::RootDir& root)
      : step_(step), workspace_(workspace), root_(root), copier_(workspace.root_fd()) {}

  absl::Status Do(const graph::CopyAction& action) {
    STRATA_ASSIGN_OR_RETURN(const filetree::Changes changes, MakeChanges(action.chown, action.chmod));
    STRATA_ASSIGN_OR_RETURN(const auto tree, OpenInput(step_.call, step_.environment, step_.inputs[action.input],
                                                       step_.progress, step_.step));
    STRATA_ASSIGN_OR_RETURN(const auto sources, filetree::Select(*tree, action));
    // Several files can only go into a folder.
    const bool into_folder = absl::EndsWith(action.destination, "/") || sources.size() > 1 || action.parents;
    for (const filetree::SelectedSource& source : sources) {
      if (action.unpack && source.root.is_regular()) {
        STRATA_ASSIGN_OR_RETURN(const bool unpacked, Unpack(*tree, source.root, action.destination, changes));
        if (unpacked) continue;
      }
      STRATA_RETURN_IF_ERROR(copier_.Copy(step_.call, *tree, source, action.destination, into_folder, changes));
    }
    return absl::OkStatus();
  }

  absl::Status Do(const graph::WriteFileAction& action) {
    STRATA_ASSIGN_OR_RETURN(const filetree::Changes changes, MakeChanges(action.chown, action.chmod));
    return copier_.WriteFile(action.name, action.content, action.destination, changes);
  }

  absl::Status Do(const graph::MakeDirAction& action) {
    STRATA_ASSIGN_OR_RETURN(const filetree::Changes changes, MakeChanges(action.owner, ""));
    return copier_.MakeDir(action.path, changes.owner);
  }

 private:
  absl::StatusOr<filetree::Changes> MakeChanges(const std::string& owner, const std::string& chmod) {
    filetree::Changes changes;
    changes.chmod = chmod;
    if (owner.empty()) return changes;
    STRATA_ASSIGN_OR_RETURN(const executor::ResolvedUser user, executor::ResolveUser(root_, owner));
    // Unlike USER, a lone number in --chown is the group as well.
    uint32_t number = 0;
    const bool is_number = absl::SimpleAtoi(owner, &number);
    changes.owner = fs::Owner{user.uid, is_number ? number : user.gid};
    return changes;
  }

  // False: the file is no archive and is to be copied as it is.
  absl::StatusOr<bool> Unpack(const filetree::FileTree& tree, const filetree::Node& file, const std::string& destination,
                              const filetree::Changes& changes) {
    STRATA_RETURN_IF_ERROR(tree.Prefetch(step_.call, {file}));
    STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, tree.Open(step_.call, file));
    return UnpackArchive(step_.call, fd.get(), workspace_.root_fd(), destination, changes.owner);
  }

  const StepContext& step_;
  snapshot::Workspace& workspace_;
  const executor::RootDir& root_;
  filetree::Copier copier_;
};

absl::Status AddAction(const CallContext& context, const OpEnvironment& environment, const std::vector<solver::Result>& inputs,
                       const graph::CopyAction& action, KeyBuilder& key) {
  STRATA_ASSIGN_OR_RETURN(const Digest content, InputDigest(context, environment, inputs[action.input], action));
  key.Add("copy", content.ToString());
  key.Add("destination", action.destination);
  key.Add("chown", action.chown);
  key.Add("chmod", action.chmod);
  key.Add("unpack", action.unpack ? "yes" : "no");
  key.Add("parents", action.parents ? "yes" : "no");
  return absl::OkStatus();
}

absl::Status AddAction(const CallContext&, const OpEnvironment&, const std::vector<solver::Result>&,
                       const graph::WriteFileAction& action, KeyBuilder& key) {
  key.Add("write", action.content);
  key.Add("name", action.name);
  key.Add("destination", action.destination);
  key.Add("chown", action.chown);
  key.Add("chmod", action.chmod);
  return absl::OkStatus();
}

absl::Status AddAction(const CallContext&, const OpEnvironment&, const std::vector<solver::Result>&,
                       const graph::MakeDirAction& action, KeyBuilder& key) {
  key.Add("mkdir", action.path);
  key.Add("owner", action.owner);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FileKey(const CallContext& context, const OpEnvironment& environment, const graph::FileOp& op,
                                    const std::vector<solver::Result>& inputs) {
  KeyBuilder key("file/2");
  key.Add("base", inputs.front().ChainId().ToString());
  for (const graph::FileAction& action : op.actions) {
    STRATA_RETURN_IF_ERROR(std::visit(
        [&](const auto& concrete) { return AddAction(context, environment, inputs, concrete, key); }, action));
  }
  return key.Finish();
}

absl::StatusOr<snapshot::Layer> RunFile(const StepContext& step, const graph::FileOp& op) {
  STRATA_ASSIGN_OR_RETURN(auto stack, step.environment.snapshots.Acquire(step.call, step.inputs.front().layers,
                                                                         ReportFetch(step.progress, step.step)));
  STRATA_ASSIGN_OR_RETURN(auto workspace, step.environment.snapshots.CreateWorkspace(std::move(stack)));
  {
    STRATA_ASSIGN_OR_RETURN(const executor::RootDir root, executor::RootDir::Open(workspace->root_path()));
    FileStep file_step(step, *workspace, root);
    for (const graph::FileAction& action : op.actions) {
      STRATA_RETURN_IF_ERROR(std::visit([&](const auto& concrete) { return file_step.Do(concrete); }, action));
    }
  }
  return StoreLayer(step.call, step.environment, *workspace, step.epoch, step.progress, step.step);
}

}  // namespace strata::ops

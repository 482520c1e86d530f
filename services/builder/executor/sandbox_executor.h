// The Executor over an OCI runtime: one run is one bundle, one runtime process, one container.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/builder/executor/bundle_config.h"
#include "services/builder/executor/executor.h"
#include "services/builder/executor/mount_stubs.h"
#include "services/builder/executor/output_pump.h"
#include "services/builder/executor/runtime.h"
#include "services/builder/executor/state_dir.h"

namespace strata::executor {

class SandboxExecutor final : public Executor {
 public:
  static absl::StatusOr<std::unique_ptr<SandboxExecutor>> Open(const ExecutorOptions& options);

  absl::StatusOr<ExecResult> Run(const CallContext& context, const ExecSpec& spec, const OutputSink& output) override;
  std::string Description() const override { return runtime_.Description(); }
  std::string Warning() const override;

 private:
  // What a run of the runtime came to.
  struct Outcome {
    SandboxProcess::Exit exit;
    PumpResult pumped;
    bool out_of_memory = false;
    std::string runtime_error;
  };

  SandboxExecutor(std::unique_ptr<StateDir> state, Network default_network, uint64_t open_files, uint64_t capabilities)
      : state_(std::move(state)), default_network_(default_network), open_files_(open_files), capabilities_(capabilities) {}

  absl::Status ChooseRuntime(const std::string& wanted);
  absl::Status Probe(const Runtime& runtime) const;
  absl::StatusOr<std::vector<Mount>> PrepareMounts(const ExecSpec& spec, const RootDir& root, const RunDir& run, Network network, MountStubs& stubs) const;
  absl::StatusOr<Outcome> Execute(const Runtime& runtime, const CallContext& context, BundleInput input, const RunDir& run, absl::Time deadline,
                                  const OutputSink& output) const;
  absl::StatusOr<ExecResult> Judge(const CallContext& context, const ExecSpec& spec, absl::Time step_deadline, const Outcome& outcome) const;

  const std::unique_ptr<StateDir> state_;
  const Network default_network_;
  const uint64_t open_files_;
  const uint64_t capabilities_;
  Runtime runtime_;  // constant after Open
};

}  // namespace strata::executor

#include "services/builder/solver/solver.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "lib/base/cancellation.h"
#include "lib/base/status.h"

namespace strata::solver {

// One Solve call: a ready queue that worker threads empty. A worker never waits for an input, so any number of workers makes progress.
class Solver::Evaluation {
 public:
  Evaluation(Solver& solver, const CallContext& context, OpRunner& runner, progress::Progress& progress)
      : solver_(solver), runner_(runner), progress_(progress), context_(context) {
    context_.cancellation = &stop_;
    if (context.cancellation != nullptr) {
      parent_ = context.cancellation->OnCancel([this] { stop_.Cancel(); });
    }
  }

  absl::StatusOr<SolveReport> Run(absl::Span<const graph::VertexPtr> targets) {
    for (const graph::VertexPtr& target : targets) Add(target.get());
    {
      MutexLock lock(mutex_);
      left_ = jobs_.size();
      for (auto& job : order_) {
        if (job->waiting_for == 0) ready_.push_back(job);
      }
    }
    const size_t threads = std::min<size_t>(solver_.parallelism_, jobs_.size());
    std::vector<std::thread> workers;
    for (size_t i = 0; i < threads; ++i) workers.emplace_back([this] { Work(); });
    for (std::thread& worker : workers) worker.join();

    MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    SolveReport report;
    report.steps_cached = steps_cached_;
    report.steps_run = steps_run_;
    for (const graph::VertexPtr& target : targets) report.results.push_back(jobs_.at(target.get())->result);
    return report;
  }

 private:
  struct Job {
    const graph::Vertex* vertex = nullptr;
    uint32_t step = 0;
    std::vector<Job*> dependents;
    size_t waiting_for = 0;
    Result result;
  };

  // Depth first, inputs before users, without recursion: a Dockerfile of thousands of steps is a chain as deep.
  void Add(const graph::Vertex* target) {
    std::vector<std::pair<const graph::Vertex*, size_t>> path = {{target, 0}};
    while (!path.empty()) {
      auto& [vertex, next] = path.back();
      if (next == 0 && jobs_.contains(vertex)) {
        path.pop_back();
      } else if (next < vertex->inputs.size()) {
        path.emplace_back(vertex->inputs[next++].get(), 0);
      } else {
        AddJob(vertex);
        path.pop_back();
      }
    }
  }

  void AddJob(const graph::Vertex* vertex) {
    auto [slot, is_new] = jobs_.try_emplace(vertex, std::make_unique<Job>());
    if (!is_new) return;
    Job* job = slot->second.get();
    job->vertex = vertex;
    job->step = progress_.AddStep(vertex->name);
    job->waiting_for = vertex->inputs.size();
    for (const graph::VertexPtr& input : vertex->inputs) jobs_.at(input.get())->dependents.push_back(job);
    order_.push_back(job);
  }

  void Work() {
    while (Job* job = Next()) {
      absl::Status status = Evaluate(*job);
      if (!status.ok() && !job->vertex->location.empty() && !absl::IsCancelled(status)) {
        status = Annotate(status, job->vertex->location);
      }
      Finish(*job, status);
    }
  }

  // The next ready vertex; null when everything is done or something failed.
  Job* Next() {
    MutexLock lock(mutex_);
    while (true) {
      if (left_ == 0 || !failure_.ok()) return nullptr;
      if (!ready_.empty()) {
        Job* job = ready_.front();
        ready_.pop_front();
        return job;
      }
      changed_.Wait(mutex_);
    }
  }

  void Finish(Job& job, const absl::Status& status) {
    if (!status.ok()) {
      const bool cancelled = absl::IsCancelled(status);
      progress_.SetState(job.step, cancelled ? progress::StepState::kCancelled : progress::StepState::kFailed,
                         std::string(status.message()));
    }
    {
      MutexLock lock(mutex_);
      --left_;
      if (status.ok()) {
        for (Job* dependent : job.dependents) {
          if (--dependent->waiting_for == 0) ready_.push_back(dependent);
        }
      } else if (failure_.ok()) {
        failure_ = status;
      }
      changed_.SignalAll();
    }
    if (!status.ok()) stop_.Cancel();
  }

  absl::Status Evaluate(Job& job) {
    STRATA_RETURN_IF_ERROR(context_.Check());
    std::vector<Result> inputs;
    for (const graph::VertexPtr& input : job.vertex->inputs) inputs.push_back(jobs_.at(input.get())->result);
    progress_.SetState(job.step, progress::StepState::kRunning);
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> key, runner_.CacheKey(context_, *job.vertex, inputs));
    if (!key) {
      STRATA_ASSIGN_OR_RETURN(job.result, runner_.Run(context_, *job.vertex, inputs, job.step));
      progress_.SetState(job.step, progress::StepState::kDone);
      return absl::OkStatus();
    }
    return EvaluateCached(job, inputs, *key);
  }

  absl::Status EvaluateCached(Job& job, const std::vector<Result>& inputs, const std::string& key) {
    std::unique_ptr<Flights::Ticket> ticket;
    bool look = !job.vertex->ignore_cache;
    while (true) {
      if (look) {
        STRATA_ASSIGN_OR_RETURN(const auto layer, solver_.cache_.FindLayer(context_, key));
        if (layer) {
          job.result = inputs.front();
          job.result.layers.push_back(*layer);
          progress_.SetState(job.step, progress::StepState::kCached);
          MutexLock lock(mutex_);
          ++steps_cached_;
          return absl::OkStatus();
        }
      }
      if (ticket != nullptr || job.vertex->ignore_cache) break;
      STRATA_ASSIGN_OR_RETURN(ticket, solver_.flights_.Join(context_, key));
      // With the ticket in hand, look once more: the record may have been written between the first look and the ticket.
    }
    STRATA_ASSIGN_OR_RETURN(job.result, runner_.Run(context_, *job.vertex, inputs, job.step));
    STRATA_RETURN_IF_ERROR(solver_.cache_.PutLayer(context_, key, job.result.layers.back()));
    progress_.SetState(job.step, progress::StepState::kDone);
    MutexLock lock(mutex_);
    ++steps_run_;
    return absl::OkStatus();
  }

  Solver& solver_;
  OpRunner& runner_;
  progress::Progress& progress_;
  CallContext context_;
  Cancellation stop_;
  Cancellation::Registration parent_;
  // Filled before the workers start; a job's result is written by one worker and read only after it was finished under mutex_.
  absl::flat_hash_map<const graph::Vertex*, std::unique_ptr<Job>> jobs_;
  std::vector<Job*> order_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Job*> ready_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int steps_cached_ ABSL_GUARDED_BY(mutex_) = 0;
  int steps_run_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<SolveReport> Solver::Solve(const CallContext& context, absl::Span<const graph::VertexPtr> targets,
                                          OpRunner& runner, progress::Progress& progress) {
  return Evaluation(*this, context, runner, progress).Run(targets);
}

}  // namespace strata::solver

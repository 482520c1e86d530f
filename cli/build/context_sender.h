// Answers what the builder asks about the build context, on a thread of its own, so that progress never waits for a disk.
//
// Questions queue up and are answered in order. A file that cannot be read is reported to the builder in its place; a context that
// cannot be listed ends the sender with that error.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "cli/context/build_context.h"
#include "lib/base/call_context.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"
#include "lib/glob/ignore.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::cli {

class ContextSender {
 public:
  // Sends one message; false when the call is over. Called from the sender's thread only.
  using Send = std::function<bool(const builder::v1::BuildRequest&)>;

  // `context` (null: empty) and `call.cancellation` outlive this object. `on_failure` runs once, on the sender's thread, when
  // status() has become an error: it ends the call.
  ContextSender(const CallContext& call, BuildContext* context, glob::IgnoreMatcher ignore, Send send, std::function<void()> on_failure);
  ~ContextSender() { Stop(); }

  // Do not block. A query may come more than once; each listing numbers its entries from 0 and replaces the last.
  void Answer(const builder::v1::ContextQuery& query) { Enqueue(query); }
  void Answer(const builder::v1::FileQuery& query) { Enqueue(query); }
  // Drops what is queued and waits for what is being sent.
  void Stop();
  // Why the context could not be listed. Call it after Stop().
  const absl::Status& status() const { return status_; }

 private:
  using Question = std::variant<builder::v1::ContextQuery, builder::v1::FileQuery>;

  void Enqueue(Question question);
  void Work();
  absl::Status SendListing(const builder::v1::ContextQuery& query);
  bool SendEntries();
  void SendFiles(const builder::v1::FileQuery& query);
  bool SendFile(uint32_t id);
  bool Flush();
  bool stopped() const;

  CallContext call_;                     // constant after construction
  Cancellation cancellation_;            // Stop() and the caller's own both end a listing that is under way
  Cancellation::Registration link_;
  BuildContext* const context_;
  const glob::IgnoreMatcher ignore_;
  const Send send_;
  const std::function<void()> on_failure_;

  std::vector<ContextEntry> entries_;    // the sender's thread: what was listed, by id
  builder::v1::BuildRequest batch_;      // pieces not sent yet
  size_t batch_bytes_ = 0;
  absl::Status status_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Question> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace strata::cli

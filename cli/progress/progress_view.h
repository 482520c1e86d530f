// What the person or the log of a CI job sees while a build or a transfer runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cli/progress/terminal_size.h"
#include "lib/base/clock.h"
#include "lib/bytes/byte_stream.h"

namespace strata::builder::v1 {
class Progress;
}

namespace strata::cli {

// Called from one thread. Errors of the output are swallowed: a closed terminal must not fail a build.
class ProgressView {
 public:
  virtual ~ProgressView() = default;
  virtual void Update(const builder::v1::Progress& progress) = 0;
  // The last call: nothing more will come. Leaves the final state on the screen and the cursor as it was.
  virtual void Finish() = 0;
};

struct ProgressOptions {
  std::string title;                           // "Building", "Pulling app:1": heads the live view
  bool utf8 = true;
  std::function<TerminalSize()> terminal_size;  // live view only; called from its own thread
};

// Lines that a log can hold: "#3 [build 2/5] RUN make", "#3 0.52 output", "#3 DONE 1.2s".
// `out` and `clock` outlive the view, here and below.
std::unique_ptr<ProgressView> MakePlainView(ByteSink& out, const Clock& clock);
// A screen that redraws itself ten times a second.
std::unique_ptr<ProgressView> MakeLiveView(ByteSink& out, const Clock& clock, ProgressOptions options);
// One JSON object a line; docs/operations/cli.md lists the fields.
std::unique_ptr<ProgressView> MakeJsonView(ByteSink& out, const Clock& clock);
// Nothing at all.
std::unique_ptr<ProgressView> MakeQuietView();

}  // namespace strata::cli

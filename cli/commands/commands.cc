#include "cli/commands/commands.h"

#include "cli/commands/store/store_commands.h"

namespace strata::cli {

absl::Span<const Command> AllCommands() {
  static constexpr Command kCommands[] = {
      {"build", "Build an image from a Dockerfile.", RunBuildCommand},
      {"images", "List images.", RunImages},
      {"inspect", "Show what an image is made of.", RunInspect},
      {"history", "Show how an image came to be.", RunHistory},
      {"tag", "Give an image another name.", RunTag},
      {"rmi", "Remove names, and images with their last name.", RunRemove},
      {"import", "Make an image of a root file system tar.", RunImport},
      {"save", "Write images to a tar.", RunSave},
      {"load", "Read images from a tar.", RunLoad},
      {"pull", "Copy an image from another registry.", RunPull},
      {"push", "Copy an image to another registry.", RunPush},
      {"store", "Look after a store: figures, collection, verification, backup.", RunStore},
      {"version", "Show the version of strata.", RunVersion},
  };
  return kCommands;
}

}  // namespace strata::cli

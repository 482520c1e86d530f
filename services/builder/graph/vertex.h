// The build graph: what has to be made, from what, and nothing about how or when.
//
// The frontend makes vertices, the solver evaluates them, services/builder/ops says what each kind of operation does. Instructions
// that only change the image config are no vertices: they cost nothing. Immutable after construction; shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/digest/digest.h"
#include "lib/oci/platform.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::graph {

// A base image, already resolved to its layers (none for `scratch`). No inputs.
struct ImageOp {
  std::string reference;  // as written, for people
  Digest manifest;        // empty for scratch
  std::vector<snapshot::Layer> layers;
};

// The build context that the client offers. No inputs.
struct ContextOp {};

// One file fetched by HTTP(S). No inputs.
struct HttpOp {
  std::string url;
  std::string file_name;            // what the file is called in the tree this op yields
  std::optional<Digest> checksum;   // pins the content
};

// A git repository's tree at one commit. No inputs.
struct GitOp {
  std::string remote;
  std::string ref;           // branch, tag or commit; empty: the default branch
  std::string subdirectory;
  bool keep_git_dir = false;
};

// Copies from the tree of one input into the root file system of input 0.
struct CopyAction {
  size_t input = 0;                       // which input holds the sources
  std::vector<std::string> sources;       // relative to the root of that tree, cleaned; may be globs; "" is the root itself
  std::string destination;                // absolute; a trailing "/" means "a folder"
  std::string chown;                      // "user[:group]", names or numbers; empty: keep the owner the source has
  std::string chmod;                      // octal or symbolic; empty: keep
  std::vector<std::string> excludes;      // ignore patterns relative to each source
  bool unpack = false;                    // local archives are unpacked into the destination (ADD)
  bool parents = false;                   // keep the folders that lead to a source
  bool missing_is_error = true;           // of a source without wildcards
};

// Writes a file whose content stands in the Dockerfile (a heredoc).
struct WriteFileAction {
  std::string name;
  std::string content;
  std::string destination;
  std::string chown;
  std::string chmod;
};

// Makes a folder and its parents, mode 0755; a folder that exists keeps what it has.
struct MakeDirAction {
  std::string path;
  std::string owner;  // "user[:group]"
};

using FileAction = std::variant<CopyAction, WriteFileAction, MakeDirAction>;

// Changes files without running anything. Input 0 is the root file system it starts from. Yields one more layer.
struct FileOp {
  std::vector<FileAction> actions;
};

enum class Network { kDefault, kNone, kHost };

struct ExecMount {
  enum class Kind { kBind, kCache, kTmpfs };
  Kind kind = Kind::kBind;
  size_t input = 0;             // kBind: which input is shown
  std::string source;           // kBind: path within it, cleaned and relative
  std::string target;           // absolute
  bool read_only = true;
  std::string cache_id;         // kCache
  bool exclusive = false;       // kCache: sharing=locked or private; one step at a time uses it
  int64_t size_bytes = 0;       // kTmpfs; 0: no limit
  uint32_t mode = 0755;         // kCache: of a new one
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// Runs a command on the root file system of input 0. Yields one more layer.
struct ExecOp {
  std::vector<std::string> args;
  std::vector<std::string> env;           // "K=V", sorted as the image has them
  std::vector<std::string> unkeyed_env;   // proxy settings: given to the command, no part of the cache key
  std::string working_dir;
  std::string user;
  Network network = Network::kDefault;
  std::vector<ExecMount> mounts;
  // A script given as a heredoc with its own "#!" line; shown to the command at kScriptPath. Empty: none.
  std::string script;
};

inline constexpr char kScriptPath[] = "/dev/pipes/strata-script";

using Op = std::variant<ImageOp, ContextOp, HttpOp, GitOp, FileOp, ExecOp>;

struct Vertex;
using VertexPtr = std::shared_ptr<const Vertex>;

struct Vertex {
  Op op;
  std::vector<VertexPtr> inputs;
  std::string name;             // "[build 2/5] RUN make"
  std::string location;         // "Dockerfile:12", for errors; empty: none
  bool ignore_cache = false;    // do not look for an earlier result; still record this one
};

}  // namespace strata::graph

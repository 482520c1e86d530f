// What crash_test kills: `crash_child DATA_FOLDER COUNT` works on an engine, says on standard output what was acknowledged, and kills
// itself at its COUNTth commit point.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

constexpr size_t kLarge = 300000;

// What the dying process tells before it dies: a line a fact.
class Acknowledgements {
 public:
  void Say(absl::string_view line) const {
    if (!WriteFully(STDOUT_FILENO, absl::StrCat(line, "\n")).ok()) _exit(3);
  }
};

template <typename T>
T OrExit(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "child: %s\n", value.status().ToString().c_str());
    _exit(2);
  }
  return *std::move(value);
}

void OrExit(const absl::Status& status) { OrExit(status.ok() ? absl::StatusOr<int>(0) : absl::StatusOr<int>(status)); }

void UploadAcknowledged(StoreEngine& engine, const Acknowledgements& told, size_t size, uint32_t seed) {
  const std::string content = MakeContent(size, seed);
  StringSource source(content);
  OrExit(blobstore::UploadBlob(engine, CallContext(), "a", source, Digest::Of(content)));
  told.Say(absl::StrCat("blob ", size, " ", seed));
}

void UploadInTwo(StoreEngine& engine, const Acknowledgements& told, size_t first, size_t size, uint32_t seed) {
  const CallContext context;
  const std::string content = MakeContent(size, seed);
  const std::string id = OrExit(engine.StartUpload(context, "a", DigestAlgorithm::kSha256));
  told.Say(absl::StrCat("upload ", id, " 0"));
  auto writer = OrExit(engine.OpenUpload(context, "a", id, 0));
  OrExit(writer->Write(absl::string_view(content).substr(0, first)));
  OrExit(writer->Flush());
  told.Say(absl::StrCat("upload ", id, " ", first));
  writer = OrExit(engine.OpenUpload(context, "a", id, first));
  OrExit(writer->Write(absl::string_view(content).substr(first)));
  told.Say(absl::StrCat("committing ", id));
  OrExit(writer->Commit(Digest::Of(content)));
  told.Say(absl::StrCat("blob ", size, " ", seed));
}

// Puts `bytes` into the extent through its descriptor, as another process would.
void PutDirectly(blobstore::UploadWriter& writer, absl::string_view bytes) {
  blobstore::DirectUpload* const direct = OrExit(writer.Direct());
  // Without leases there is no descriptor, and this is one more upload by Write().
  if (direct == nullptr) return OrExit(writer.Write(bytes));
  if (OrExit(direct->Allowance()) < bytes.size()) _exit(4);
  const auto at = static_cast<off_t>(direct->offset_bytes());
  if (::pwrite(direct->descriptor(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) _exit(5);
  OrExit(direct->Advance(bytes.size()));
}

void UploadDirectlyInTwo(StoreEngine& engine, const Acknowledgements& told, size_t first, size_t size, uint32_t seed) {
  const CallContext context;
  const std::string content = MakeContent(size, seed);
  const std::string id = OrExit(engine.StartUpload(context, "a", DigestAlgorithm::kSha256));
  told.Say(absl::StrCat("upload ", id, " 0"));
  auto writer = OrExit(engine.OpenUpload(context, "a", id, 0));
  PutDirectly(*writer, absl::string_view(content).substr(0, first));
  OrExit(writer->Flush());
  told.Say(absl::StrCat("upload ", id, " ", first));
  writer = OrExit(engine.OpenUpload(context, "a", id, first));
  PutDirectly(*writer, absl::string_view(content).substr(first));
  told.Say(absl::StrCat("committing ", id));
  OrExit(writer->Commit(Digest::Of(content)));
  told.Say(absl::StrCat("blob ", size, " ", seed));
}

// Everything that has a commit point, once at least.
void Work(StoreEngine& engine, testing::FakeClock& clock, const Acknowledgements& told) {
  const CallContext context;
  UploadAcknowledged(engine, told, 100, 1);
  UploadAcknowledged(engine, told, kLarge, 2);
  UploadInTwo(engine, told, 1000, 2000, 3);
  UploadInTwo(engine, told, 1000, kLarge, 4);
  UploadInTwo(engine, told, 100000, kLarge, 5);
  UploadDirectlyInTwo(engine, told, 100000, kLarge, 6);
  UploadAcknowledged(engine, told, kLarge, 2);
  blobstore::PutManifestOptions options;
  options.tags = {"t"};
  const Digest config = Digest::Of(MakeContent(100, 1));
  const std::string one = ImageJson(config, {Digest::Of(MakeContent(kLarge, 2))});
  const std::string two = ImageJson(config, {Digest::Of(MakeContent(kLarge, 4))});
  const Digest first = OrExit(engine.PutManifest(context, "a", kImageType, one, options)).digest;
  told.Say(absl::StrCat("manifest ", first.ToString()));
  const Digest second = OrExit(engine.PutManifest(context, "a", kImageType, two, options)).digest;
  told.Say(absl::StrCat("manifest ", second.ToString()));
  told.Say(absl::StrCat("deleting ", first.ToString()));
  OrExit(engine.DeleteManifest(context, "a", first));
  told.Say(absl::StrCat("deleted ", first.ToString()));
  // The tag of the first went to the second, and its history says so, or nothing of that happened.
  OrExit(engine.SetTag(context, "a", "u", second, blobstore::TagCondition::Absent()));
  told.Say(absl::StrCat("tag u ", second.ToString()));
  told.Say("untagging u");
  OrExit(engine.DeleteTag(context, "a", "u", second));
  told.Say("untagged u");
  const Digest child = OrExit(engine.PutManifest(context, "a", kImageType, ImageJson(config, {config}), {})).digest;
  const Digest index = OrExit(engine.PutManifest(context, "a", kIndexType, IndexJson({child}), {})).digest;
  OrExit(engine.DeleteManifest(context, "a", index));
  clock.Advance(absl::Hours(25));
  OrExit(engine.PutRecord(context, "key", "value", {Digest::Of(MakeContent(kLarge, 5))}));
  told.Say("record");
  // No manifest names these, and their leases are over.
  for (const auto& [size, seed] : {std::pair<size_t, int>(kLarge, 2), {2000, 3}, {kLarge, 5}, {kLarge, 6}}) {
    told.Say(absl::StrCat("collecting ", size, " ", seed));
  }
  OrExit(engine.CollectGarbage(context));
  told.Say("end");
}

int Main(const char* folder, int count) {
  testing::FakeClock clock;
  EngineOptions options;
  options.data_dir = folder;
  options.reserved_bytes = 0;
  options.commit_point_for_test = [&count](absl::string_view) {
    if (--count == 0) kill(getpid(), SIGKILL);
  };
  const auto engine = OrExit(StoreEngine::Open(options, clock));
  Work(*engine, clock, Acknowledgements());
  return 0;
}

}  // namespace
}  // namespace strata::store

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  return strata::store::Main(argv[1], std::atoi(argv[2]));
}

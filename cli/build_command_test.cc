#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "cli/app_fixture_for_test.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

using builder::v1::BuildRequest;
using builder::v1::BuildResponse;
using builder::v1::BuildStart;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadFile;
using testing::WriteFile;

constexpr char kDigest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

void SendStep(BuildStream& stream, const std::string& name, builder::v1::StepState state) {
  BuildResponse response;
  auto* step = response.mutable_progress()->add_steps();
  step->set_id(1);
  step->set_name(name);
  step->set_state(state);
  stream.Write(response);
}

void SendResult(BuildStream& stream) {
  BuildResponse response;
  auto& result = *response.mutable_result();
  result.set_digest(kDigest);
  result.set_config_digest("sha256:cccc");
  result.set_media_type("application/vnd.oci.image.manifest.v1+json");
  result.add_names("app:1");
  result.set_layers(3);
  result.set_compressed_bytes(12'345'678);
  result.mutable_elapsed()->set_seconds(4);
  result.set_steps_run(2);
  result.set_steps_cached(5);
  stream.Write(response);
}

// Asks for the listing of `include` and reads it.
std::vector<builder::v1::ContextEntry> AskListing(BuildStream& stream, const std::vector<std::string>& include) {
  BuildResponse query;
  for (const std::string& pattern : include) query.mutable_context_query()->add_include(pattern);
  stream.Write(query);
  std::vector<builder::v1::ContextEntry> entries;
  BuildRequest request;
  while (stream.Read(&request) && !request.has_context_end()) {
    for (const auto& entry : request.context_entries().entries()) entries.push_back(entry);
  }
  return entries;
}

// Asks for one file and reads it; "error: ..." when the client refuses.
std::string AskFile(BuildStream& stream, uint32_t id) {
  BuildResponse query;
  query.mutable_file_query()->add_ids(id);
  stream.Write(query);
  std::string content;
  BuildRequest request;
  while (stream.Read(&request)) {
    for (const auto& piece : request.file_data().pieces()) {
      if (!piece.error().empty()) return "error: " + piece.error();
      content += piece.data();
      if (piece.last()) return content;
    }
  }
  return "error: the stream ended";
}

class BuildCommandTest : public AppFixture {
 protected:
  BuildCommandTest() {
    WriteFile(scratch_.Join("ctx/Dockerfile"), "FROM busybox\nCOPY src /src\n");
    WriteFile(scratch_.Join("ctx/.dockerignore"), "*.o\nsrc/secret\n");
    WriteFile(scratch_.Join("ctx/src/main.c"), "int main() {}");
    WriteFile(scratch_.Join("ctx/src/secret"), "hush");
    WriteFile(scratch_.Join("ctx/doc/readme"), "hello");
    builder_.on_build = [this](grpc::ServerContext&, const BuildStart& start, BuildStream& stream) {
      start_ = start;
      SendResult(stream);
      return grpc::Status::OK;
    };
  }
  std::string Context() { return scratch_.Join("ctx"); }

  BuildStart start_;
};

TEST_F(BuildCommandTest, SendsWhatTheBuilderAsksForAndPrintsTheResult) {
  std::vector<builder::v1::ContextEntry> entries;
  std::string content;
  builder_.on_build = [&](grpc::ServerContext&, const BuildStart& start, BuildStream& stream) {
    start_ = start;
    entries = AskListing(stream, {"src"});
    SendStep(stream, "[1/1] COPY src /src", builder::v1::STEP_STATE_RUNNING);
    if (entries.size() == 2) content = AskFile(stream, 1);
    SendStep(stream, "", builder::v1::STEP_STATE_DONE);
    SendResult(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"build", "-t", "app:1", Context()}), 0) << err_;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].path(), "src");
  EXPECT_EQ(entries[1].path(), "src/main.c");
  EXPECT_EQ(entries[1].id(), 1u);
  EXPECT_EQ(entries[1].size_bytes(), 13);
  EXPECT_EQ(entries[1].digest().substr(0, 7), "sha256:");
  EXPECT_EQ(content, "int main() {}");
  EXPECT_EQ(start_.dockerfile(), "FROM busybox\nCOPY src /src\n");
  EXPECT_EQ(start_.dockerfile_name(), "Dockerfile");
  EXPECT_EQ(start_.dockerignore(), "*.o\nsrc/secret\n");
  EXPECT_FALSE(start_.no_context());
  EXPECT_EQ(out_, std::string(kDigest) + "\n");
  EXPECT_EQ(err_,
            "#1 [1/1] COPY src /src\n"
            "#1 DONE 0.0s\n"
            "Built app:1 in 4.0s: 3 layers, 12.3MB; 2 steps run, 5 cached\n"
            "  docker pull 127.0.0.1:5000/app:1\n");
}

TEST_F(BuildCommandTest, PassesEveryOption) {
  variables_["FROM_ENV"] = "yes";
  variables_["SOURCE_DATE_EPOCH"] = "1700000000";
  WriteFile(scratch_.Join(".docker/config.json"), R"({"auths":{"quay.example":{"auth":"dTpw"}}})");
  EXPECT_EQ(Run({"build", "-t", "app:1", "--tag=quay.example/app:2", "--target", "base", "--build-arg", "A=b=c", "--build-arg", "FROM_ENV",
                 "--build-arg", "NOT_SET", "--platform", "linux/amd64,linux/arm64", "--no-cache", "--pull", "--label", "k=v", "--format",
                 "docker", "--push", "-f", "Dockerfile", Context()}),
            0)
      << err_;
  EXPECT_THAT(start_.tags(), ElementsAre("app:1", "quay.example/app:2"));
  EXPECT_EQ(start_.target(), "base");
  ASSERT_EQ(start_.build_args_size(), 2);
  EXPECT_EQ(start_.build_args(0).value(), "b=c");
  EXPECT_EQ(start_.build_args(1).name(), "FROM_ENV");
  EXPECT_EQ(start_.build_args(1).value(), "yes");
  EXPECT_THAT(start_.platforms(), ElementsAre("linux/amd64", "linux/arm64"));
  EXPECT_TRUE(start_.no_cache() && start_.pull() && start_.push());
  EXPECT_EQ(start_.labels(0).name(), "k");
  EXPECT_EQ(start_.format(), builder::v1::IMAGE_FORMAT_DOCKER);
  EXPECT_EQ(start_.source_date_epoch(), 1'700'000'000);
  ASSERT_EQ(start_.credentials_size(), 1);
  EXPECT_EQ(start_.credentials(0).host(), "quay.example");
}

TEST_F(BuildCommandTest, BuildsFromADockerfileOnStandardInput) {
  EXPECT_EQ(Run({"build", "-"}, "FROM scratch\n"), 0) << err_;
  EXPECT_EQ(start_.dockerfile(), "FROM scratch\n");
  EXPECT_TRUE(start_.no_context());
}

TEST_F(BuildCommandTest, WritesResultsForScripts) {
  EXPECT_EQ(Run({"build", "--progress=quiet", "--iidfile", scratch_.Join("iid"), "--metadata-file", scratch_.Join("meta"), Context()}), 0);
  EXPECT_EQ(err_, "");
  EXPECT_EQ(out_, std::string(kDigest) + "\n");
  EXPECT_EQ(ReadFile(scratch_.Join("iid")), "sha256:cccc");
  const auto meta = json::Parse(ReadFile(scratch_.Join("meta")));
  ASSERT_TRUE(meta.ok());
  EXPECT_EQ((*meta)["containerimage.digest"], kDigest);
  EXPECT_EQ((*meta)["image.name"], "app:1");
  EXPECT_EQ(Run({"build", "-q", "--output", "json", Context()}), 0);
  const auto result = json::Parse(out_);
  ASSERT_TRUE(result.ok()) << out_;
  EXPECT_EQ((*result)["steps_cached"], 5);
}

TEST_F(BuildCommandTest, AFileThatChangesMidwayIsReported) {
  std::string content;
  builder_.on_build = [&](grpc::ServerContext&, const BuildStart&, BuildStream& stream) {
    AskListing(stream, {"src/main.c"});
    WriteFile(scratch_.Join("ctx/src/main.c"), "something else entirely");
    content = AskFile(stream, 1);
    return grpc::Status(grpc::StatusCode::ABORTED, content, "d");
  };
  EXPECT_EQ(Run({"build", Context()}), 1);
  EXPECT_THAT(content, HasSubstr("\"src/main.c\" changed while the build was reading it"));
  EXPECT_THAT(err_, HasSubstr("build again"));
}

TEST_F(BuildCommandTest, TheExitCodeSaysWhoIsToBlame) {
  grpc::Status failure;
  builder_.on_build = [&](grpc::ServerContext&, const BuildStart&, BuildStream&) { return failure; };
  const struct {
    grpc::StatusCode code;
    int want;
  } cases[] = {{grpc::StatusCode::INVALID_ARGUMENT, 5}, {grpc::StatusCode::FAILED_PRECONDITION, 5}, {grpc::StatusCode::NOT_FOUND, 5},
               {grpc::StatusCode::UNAVAILABLE, 3},      {grpc::StatusCode::RESOURCE_EXHAUSTED, 1},  {grpc::StatusCode::CANCELLED, 1}};
  for (const auto& c : cases) {
    failure = grpc::Status(c.code, "Dockerfile:7: no stage \"biuld\"; did you mean \"build\"?", "d");
    EXPECT_EQ(Run({"build", Context()}), c.want) << c.code;
    EXPECT_EQ(err_, "strata: Dockerfile:7: no stage \"biuld\"; did you mean \"build\"?\n");
    EXPECT_EQ(out_, "");
  }
  EXPECT_EQ(Run({"build", scratch_.Join("none")}), 4);
  EXPECT_EQ(Run({"build", scratch_.Join("ctx/doc")}), 4);
  EXPECT_THAT(err_, HasSubstr("there is no \"Dockerfile\" in the context"));
  EXPECT_EQ(Run({"--builder", "127.0.0.1:1", "build", Context()}), 3);
  EXPECT_THAT(err_, HasSubstr("builder at 127.0.0.1:1 is not reachable"));
}

TEST_F(BuildCommandTest, RefusesWrongUsageBeforeItCallsAnybody) {
  builder_.on_build = [](grpc::ServerContext&, const BuildStart&, BuildStream&) {
    ADD_FAILURE() << "the builder was called";
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"build"}), 2);
  EXPECT_EQ(Run({"build", "-t", "UPPER CASE", Context()}), 2);
  EXPECT_THAT(err_, HasSubstr("--tag"));
  EXPECT_EQ(Run({"build", "--build-arg", "=x", Context()}), 2);
  EXPECT_EQ(Run({"build", "--progress", "loud", Context()}), 2);
  EXPECT_THAT(err_, HasSubstr("plain"));
  variables_["SOURCE_DATE_EPOCH"] = "yesterday";
  EXPECT_EQ(Run({"build", Context()}), 2);
  variables_.erase("SOURCE_DATE_EPOCH");
  WriteFile(scratch_.Join("ctx/.dockerignore"), "[");
  EXPECT_EQ(Run({"build", Context()}), 5);
  EXPECT_THAT(err_, HasSubstr(".dockerignore file: line 1"));
}

// While it lives, this thread and those it starts obey file permissions even as root.
class ObeysPermissions {
 public:
  ObeysPermissions() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct without[2] = {before_[0], before_[1]};
    without[0].effective &= ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
    EXPECT_EQ(::syscall(SYS_capset, &header_, without), 0);
  }
  ~ObeysPermissions() { EXPECT_EQ(::syscall(SYS_capset, &header_, before_), 0); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2] = {};
};

TEST_F(BuildCommandTest, AContextThatCannotBeReadEndsTheBuild) {
  const ObeysPermissions obeys_permissions;
  ASSERT_EQ(::chmod(scratch_.Join("ctx/src/main.c").c_str(), 0), 0);
  builder_.on_build = [&](grpc::ServerContext&, const BuildStart&, BuildStream& stream) {
    AskListing(stream, {"."});
    return grpc::Status(grpc::StatusCode::CANCELLED, "gone");
  };
  EXPECT_EQ(Run({"build", Context()}), 1);
  EXPECT_THAT(err_, HasSubstr("cannot read \"src/main.c\""));
}

TEST_F(BuildCommandTest, AnInterruptCancelsTheCall) {
  Mutex mutex;
  CondVar changed;
  bool is_building = false;
  bool was_cancelled = false;
  builder_.on_build = [&](grpc::ServerContext& context, const BuildStart&, BuildStream& stream) {
    {
      MutexLock lock(mutex);
      is_building = true;
    }
    changed.SignalAll();
    BuildRequest request;
    while (stream.Read(&request)) {
    }
    MutexLock lock(mutex);
    was_cancelled = context.IsCancelled();
    changed.SignalAll();
    return grpc::Status::CANCELLED;
  };
  std::thread person([&] {
    {
      MutexLock lock(mutex);
      while (!is_building) changed.Wait(mutex);
    }
    interrupted_.Cancel();
  });
  EXPECT_EQ(Run({"build", Context()}), 130);
  EXPECT_EQ(err_, "strata: interrupted\n");
  person.join();
  MutexLock lock(mutex);
  while (!was_cancelled) changed.Wait(mutex);
}

TEST_F(BuildCommandTest, ATimeoutEndsTheBuild) {
  builder_.on_build = [&](grpc::ServerContext&, const BuildStart&, BuildStream& stream) {
    BuildRequest request;
    while (stream.Read(&request)) {
    }
    return grpc::Status::CANCELLED;
  };
  EXPECT_EQ(Run({"build", "--timeout", "50ms", Context()}), 1);
  EXPECT_THAT(err_, HasSubstr("eadline"));
}

}  // namespace
}  // namespace strata::cli

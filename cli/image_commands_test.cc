#include "cli/app_fixture_for_test.h"

namespace strata::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::ReadFile;
using testing::WriteFile;

constexpr char kDigest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

class ImageCommandsTest : public AppFixture {
 protected:
  ImageCommandsTest() {
    builder::v1::ImageSummary image;
    image.set_repository("team/app");
    image.set_tag("1");
    image.set_manifest_digest("sha256:ffff");
    image.set_config_digest(kDigest);
    image.set_size_bytes(12'345'678);
    image.add_platforms("linux/amd64");
    image.mutable_created()->set_seconds(1'700'000'000 - 3 * 3600);
    builder_.images.push_back(image);
    image.clear_tag();
    image.clear_created();
    builder_.images.push_back(image);
    *builder_.inspected.mutable_summary() = builder_.images[0];
    builder_.inspected.add_names("team/app:1");
    builder_.inspected.set_manifest("{\"schemaVersion\": 2}");
    builder_.inspected.set_config(R"({"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/app","-v"],"Env":["A=b"],"WorkingDir":"/srv",
      "Labels":{"k":"v"},"ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":["sha256:)" +
                                  std::string(64, 'a') + R"("]},"history":[{"created":"2023-11-14T00:00:00Z","created_by":"COPY . /"},
      {"created_by":"CMD [\"/bin/app\"]","empty_layer":true,"comment":"strata"}]})");
    auto* layer = builder_.inspected.add_layers();
    layer->set_digest("sha256:eeee");
    layer->set_size_bytes(2'000'000);
    builder::v1::TransferProgress progress;
    progress.set_digest(kDigest);
    progress.set_status("downloading");
    progress.set_current_bytes(1000);
    progress.set_total_bytes(2000);
    builder_.transfer.push_back(progress);
    progress.set_status("done");
    progress.set_current_bytes(2000);
    builder_.transfer.push_back(progress);
    progress.Clear();
    progress.set_result_digest("sha256:cccc");
    progress.set_result_name("quay.example/app:1");
    builder_.transfer.push_back(progress);
  }
};

TEST_F(ImageCommandsTest, ListsImagesInATable) {
  EXPECT_EQ(Run({"images"}), 0);
  EXPECT_EQ(out_,
            "REPOSITORY   TAG      IMAGE ID       CREATED       SIZE\n"
            "team/app     1        0123456789ab   3 hours ago   12.3MB\n"
            "team/app     <none>   0123456789ab   N/A           12.3MB\n");
  EXPECT_EQ(builder_.last_call(), "list  0");
  EXPECT_EQ(err_, "");
}

TEST_F(ImageCommandsTest, ListsIdsJsonAndMatches) {
  EXPECT_EQ(Run({"images", "-q"}), 0);
  EXPECT_EQ(out_, "0123456789ab\n0123456789ab\n");
  EXPECT_EQ(Run({"images", "-a", "--filter", "reference=team/*"}), 0);
  EXPECT_EQ(builder_.last_call(), "list team/* 1");
  EXPECT_EQ(Run({"images", "team/app", "--output", "json"}), 0);
  EXPECT_EQ(builder_.last_call(), "list team/app 0");
  EXPECT_THAT(out_, HasSubstr("\"created\": \"2023-11-14T19:13:20Z\""));
  EXPECT_THAT(out_, HasSubstr("\"size_bytes\": 12345678"));
  EXPECT_EQ(Run({"images", "--filter", "label=x"}), 2);
  EXPECT_THAT(err_, HasSubstr("only reference=GLOB is known"));
}

TEST_F(ImageCommandsTest, InspectsForPeopleAndPrograms) {
  EXPECT_EQ(Run({"inspect", "team/app:1", "--platform", "linux/arm64"}), 0);
  EXPECT_EQ(builder_.last_call(), "inspect team/app:1 linux/arm64");
  EXPECT_THAT(out_, HasSubstr("Names:        team/app:1\n"));
  EXPECT_THAT(out_, HasSubstr("Command:      /bin/app -v\n"));
  EXPECT_THAT(out_, HasSubstr("Ports:        80/tcp\n"));
  EXPECT_THAT(out_, HasSubstr("Label:        k=v\n"));
  EXPECT_THAT(out_, HasSubstr("Layer:        sha256:eeee  2MB\n"));
  EXPECT_EQ(Run({"inspect", "--output=json", "a", "b"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"schemaVersion\": 2"));
  EXPECT_EQ(Run({"inspect", "--raw", "manifest", "a"}), 0);
  EXPECT_EQ(out_, "{\"schemaVersion\": 2}");
}

TEST_F(ImageCommandsTest, ShowsHistoryTheNewestFirst) {
  EXPECT_EQ(Run({"history", "team/app:1"}), 0);
  EXPECT_EQ(out_,
            "CREATED        CREATED BY         SIZE   COMMENT\n"
            "N/A            CMD [\"/bin/app\"]   0B     strata\n"
            "22 hours ago   COPY . /           2MB\n");
  EXPECT_EQ(Run({"history", "team/app:1", "--output=json"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"layer\": \"sha256:eeee\""));
}

TEST_F(ImageCommandsTest, TagsAndRemoves) {
  EXPECT_EQ(Run({"tag", "a", "b:2"}), 0);
  EXPECT_EQ(builder_.last_call(), "tag a b:2");
  EXPECT_EQ(out_, "sha256:aaaa\n");
  EXPECT_EQ(Run({"rmi", "-f", "none", "a:1"}), 4);  // the second is removed all the same
  EXPECT_EQ(builder_.last_call(), "remove a:1 1");
  EXPECT_EQ(out_, "Untagged: a:1\nDeleted: sha256:aaaa\n");
  EXPECT_EQ(err_, "strata: no image \"none\"\n");
}

TEST_F(ImageCommandsTest, Imports) {
  WriteFile(scratch_.Join("rootfs.tar"), "bytes");
  EXPECT_EQ(Run({"import", scratch_.Join("rootfs.tar"), "base:1", "-c", "CMD [\"sh\"]", "--change", "ENV A=b", "-m", "why", "--platform", "linux/arm64"}), 0);
  EXPECT_EQ(builder_.last_call(), "import base:1 CMD [\"sh\"];ENV A=b why linux/arm64 bytes");
  EXPECT_EQ(out_, "sha256:bbbb\n");
  EXPECT_EQ(Run({"import", "-", "base:1"}, std::string(3'000'000, 'x')), 0);
  EXPECT_THAT(err_, HasSubstr("Imported base:1, 3MB"));
  EXPECT_EQ(Run({"import", scratch_.Join("none"), "base:1"}), 4);
  EXPECT_THAT(err_, HasSubstr("none\": No such file"));
}

TEST_F(ImageCommandsTest, SavesWholeFilesOrNone) {
  builder_.saved = "archive";
  EXPECT_EQ(Run({"save", "a", "b", "-o", scratch_.Join("out.tar")}), 0);
  EXPECT_EQ(ReadFile(scratch_.Join("out.tar")), "archive");
  EXPECT_EQ(builder_.last_call(), "save a b");
  EXPECT_EQ(Run({"save", "a"}), 0);
  EXPECT_EQ(out_, "archive");
  builder_.image_error = grpc::Status(grpc::StatusCode::NOT_FOUND, "no image \"b\"", "d");
  builder_.saved = "half of";
  EXPECT_EQ(Run({"save", "b", "-o", scratch_.Join("out.tar")}), 4);
  EXPECT_EQ(ReadFile(scratch_.Join("out.tar")), "archive");
  output_is_terminal_ = true;
  EXPECT_EQ(Run({"save", "a"}), 2);
  EXPECT_THAT(err_, HasSubstr("-o FILE"));
}

TEST_F(ImageCommandsTest, Loads) {
  EXPECT_EQ(Run({"load"}, "archive"), 0);
  EXPECT_EQ(builder_.last_call(), "load archive");
  EXPECT_EQ(out_, "app:1\napp:2\n");
  input_is_terminal_ = true;
  EXPECT_EQ(Run({"load"}), 2);
  WriteFile(scratch_.Join("in.tar"), "file");
  EXPECT_EQ(Run({"load", "-i", scratch_.Join("in.tar"), "--output", "json"}), 0);
  EXPECT_EQ(builder_.last_call(), "load file");
  EXPECT_EQ(out_, "{\"loaded\":[\"app:1\",\"app:2\"]}\n");
}

TEST_F(ImageCommandsTest, PullsWithTheCredentialsOfThatRegistryAlone) {
  WriteFile(scratch_.Join(".docker/config.json"),
            R"({"auths":{"quay.example":{"auth":"dTpw"},"other.example":{"auth":"dTpw"}}})");
  EXPECT_EQ(Run({"pull", "quay.example/app:1", "--platform", "linux/arm64"}), 0);
  EXPECT_EQ(out_, "sha256:cccc\n");
  EXPECT_EQ(err_,
            "#1 0123456789ab\n"
            "#1 2kB / 2kB\n"
            "#1 DONE 0.0s\n"
            "Pulled quay.example/app:1\n");
  const auto request = builder_.last_pull();
  EXPECT_EQ(request.platform(), "linux/arm64");
  ASSERT_EQ(request.credentials_size(), 1);
  EXPECT_EQ(request.credentials(0).host(), "quay.example");
  EXPECT_EQ(request.credentials(0).password(), "p");
  EXPECT_EQ(Run({"pull", "a", "--platform", "x", "--all-platforms"}), 2);
}

TEST_F(ImageCommandsTest, Pushes) {
  EXPECT_EQ(Run({"push", "-q", "app:1", "quay.example/app:1"}), 0);
  EXPECT_EQ(builder_.last_call(), "push app:1 quay.example/app:1");
  EXPECT_EQ(err_, "Pushed quay.example/app:1\n");
  builder_.transfer.clear();
  EXPECT_EQ(Run({"push", "-q", "quay.example/app:1"}), 1);
  EXPECT_EQ(builder_.last_call(), "push quay.example/app:1 ");
  EXPECT_THAT(err_, HasSubstr("without a result"));
}

TEST_F(ImageCommandsTest, ExitCodesFollowTheKindOfFailure) {
  builder_.image_error = grpc::Status(grpc::StatusCode::NOT_FOUND, "no image \"x\"; strata images lists them", "d");
  EXPECT_EQ(Run({"inspect", "x"}), 4);
  EXPECT_EQ(err_, "strata: no image \"x\"; strata images lists them\n");
  builder_.image_error = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "several names", "d");
  EXPECT_EQ(Run({"inspect", "x"}), 1);
  builder_.image_error = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the store at 1.2.3.4:7071 does not answer", "d");
  EXPECT_EQ(Run({"inspect", "x"}), 3);
  EXPECT_EQ(err_, "strata: the store at 1.2.3.4:7071 does not answer\n");
  EXPECT_EQ(Run({"inspect"}), 2);
  EXPECT_EQ(Run({"tag", "a", "b", "c"}), 2);
  EXPECT_THAT(err_, HasSubstr("one argument too many, \"c\""));
}

TEST_F(ImageCommandsTest, AnUnreachableBuilderIsNamed) {
  // Nothing listens on port 1.
  EXPECT_EQ(Run({"--builder", "127.0.0.1:1", "images"}), 3);
  EXPECT_THAT(err_, StartsWith("strata: builder at 127.0.0.1:1 is not reachable"));
  EXPECT_THAT(err_, HasSubstr("--builder HOST:PORT or STRATA_BUILDER"));
  EXPECT_EQ(Run({"images", "--builder", "127.0.0.1:1"}), 3);  // behind the command as well
}

TEST_F(ImageCommandsTest, TheBuilderComesFromFlagVariableOrFile) {
  variables_.erase("STRATA_BUILDER");
  WriteFile(scratch_.Join(".config/strata/config"), "# ours\nbuilder = " + builder_.address() + "\n");
  EXPECT_EQ(Run({"images"}), 0);
  variables_["STRATA_BUILDER"] = "127.0.0.1:1";
  EXPECT_EQ(Run({"images"}), 3);
  EXPECT_EQ(Run({"images", "--builder", builder_.address()}), 0);
  WriteFile(scratch_.Join(".config/strata/config"), "bilder = x\n");
  EXPECT_EQ(Run({"images"}), 2);
  EXPECT_THAT(err_, HasSubstr("bilder"));
}

TEST_F(ImageCommandsTest, HelpsWithoutABuilder) {
  variables_["STRATA_BUILDER"] = "127.0.0.1:1";
  EXPECT_EQ(Run({}), 0);
  EXPECT_THAT(out_, HasSubstr("strata build -t app:1 ."));
  const std::string help = out_;
  EXPECT_EQ(Run({"help"}), 0);
  EXPECT_EQ(out_, help);
  for (const char* command : {"build", "images", "inspect", "history", "tag", "rmi", "import", "save", "load", "pull", "push", "version"}) {
    EXPECT_THAT(help, HasSubstr(std::string("\n  ") + command + " "));
    EXPECT_EQ(Run({command, "--help"}), 0) << command;
    EXPECT_THAT(out_, StartsWith(std::string("Usage: strata ") + command + " [flags]"));
    EXPECT_EQ(err_, "");
  }
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_THAT(out_, StartsWith("strata "));
  EXPECT_EQ(Run({"biuld"}), 2);
  EXPECT_EQ(err_, "strata: there is no command \"biuld\"; did you mean \"build\"?\n");
  EXPECT_EQ(Run({"images", "--al"}), 2);
  EXPECT_THAT(err_, HasSubstr("--all"));
}

}  // namespace
}  // namespace strata::cli

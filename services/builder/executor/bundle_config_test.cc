#include "services/builder/executor/bundle_config.h"

#include <algorithm>

#include "lib/json/json.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/executor/command_error.h"

namespace strata::executor {
namespace {

using json::Value;
using testing::StatusIs;

BundleInput Input() {
  BundleInput input;
  input.root_path = "/root/fs";
  input.args = {"/bin/sh", "-c", "true"};
  input.env = {"A=1"};
  input.hostname = "strata-build";
  input.cgroup_path = "/strata-build/x";
  return input;
}

Value Config(const BundleInput& input) { return *json::Parse(BundleConfigJson(input)); }

bool Contains(const Value& list, const std::string& text) { return std::find(list.begin(), list.end(), text) != list.end(); }

TEST(BundleConfig, StartsWithoutPrivileges) {
  const Value config = Config(Input());
  EXPECT_EQ(config["process"]["noNewPrivileges"], false);
  EXPECT_EQ(config["process"]["args"], Value({"/bin/sh", "-c", "true"}));
  const Value& bounding = config["process"]["capabilities"]["bounding"];
  EXPECT_EQ(bounding.size(), 14u);
  EXPECT_FALSE(Contains(bounding, "CAP_SYS_ADMIN"));
  EXPECT_TRUE(Contains(bounding, "CAP_MKNOD"));
  EXPECT_TRUE(config["process"]["capabilities"].contains("effective"));
  EXPECT_TRUE(Contains(config["linux"]["maskedPaths"], "/proc/kcore"));
  EXPECT_TRUE(Contains(config["linux"]["readonlyPaths"], "/proc/sys"));
}

TEST(BundleConfig, OnlyRootStartsWithCapabilities) {
  BundleInput input = Input();
  input.user.uid = 1000;
  input.user.additional_gids = {29};
  const Value config = Config(input);
  EXPECT_FALSE(config["process"]["capabilities"].contains("effective"));
  EXPECT_EQ(config["process"]["user"]["additionalGids"], Value::array({29}));
}

TEST(BundleConfig, WithoutCgroupNoDeviceNodesAndNoLimits) {
  BundleInput input = Input();
  input.cgroup_path = "";
  input.memory_bytes = 1;
  const Value config = Config(input);
  EXPECT_FALSE(Contains(config["process"]["capabilities"]["bounding"], "CAP_MKNOD"));
  EXPECT_FALSE(config["linux"].contains("resources"));
}

TEST(BundleConfig, AsksOnlyForCapabilitiesThatTheBuilderHas) {
  BundleInput input = Input();
  input.available_capabilities = 1;  // CAP_CHOWN
  EXPECT_EQ(Config(input)["process"]["capabilities"]["bounding"], Value::array({"CAP_CHOWN"}));
}

TEST(BundleConfig, FilterDeniesByDefault) {
  const Value config = Config(Input());
  const Value& filter = config["linux"]["seccomp"];
  EXPECT_EQ(filter["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_GE(filter["architectures"].size(), 2u);
  const Value& rules = filter["syscalls"];
  ASSERT_GE(rules.size(), 4u);
  const Value& allowed = rules[0]["names"];
  for (const char* name : {"openat", "execve", "chroot", "mknodat", "futex_waitv"}) EXPECT_TRUE(Contains(allowed, name)) << name;
  for (const char* name : {"mount", "bpf", "unshare", "setns", "keyctl", "io_uring_setup", "clone", "clone3", "open_by_handle_at", "reboot"}) {
    EXPECT_FALSE(Contains(allowed, name)) << name;
  }
  for (const Value& rule : rules) {
    EXPECT_TRUE(rule["names"].is_array()) << rule;
    EXPECT_TRUE(!rule.contains("args") || (rule["args"].is_array() && rule["args"][0].is_object())) << rule;
  }
}

TEST(BundleConfig, MountsHaveNoDevicesAndNoSetuid) {
  BundleInput input = Input();
  input.mounts = {{.source = "/host/cache", .target = "/cache", .read_only = false}, {.target = "/scratch", .read_only = false, .is_tmpfs = true, .tmpfs_size_bytes = 4096}};
  const Value config = Config(input);
  const Value& mounts = config["mounts"];
  const Value& cache = mounts[mounts.size() - 2];
  EXPECT_EQ(cache["source"], "/host/cache");
  EXPECT_TRUE(Contains(cache["options"], "nodev") && Contains(cache["options"], "nosuid") && Contains(cache["options"], "rw"));
  EXPECT_TRUE(Contains(mounts[mounts.size() - 1]["options"], "size=4096"));
}

TEST(CommandError, TellsAMissingCommandFromAFailedOne) {
  EXPECT_OK(CommandError("sh", 1, "", ""));
  EXPECT_OK(CommandError("sh", 3, "", "exec sh: "));
  EXPECT_OK(CommandError("sh", 127, "", "sh: foo: not found"));
  EXPECT_THAT(CommandError("foo", 1, "executable file `foo` not found in $PATH: No such file or directory", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "command \"foo\" was not found"));
  EXPECT_THAT(CommandError("foo", 1, "runc run failed: unable to start container process: exec: \"foo\": executable file not found in $PATH", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "command \"foo\" was not found"));
  EXPECT_THAT(CommandError("/etc/x", 1, "open executable: Permission denied", ""), StatusIs(absl::StatusCode::kInvalidArgument, "not an executable"));
  EXPECT_THAT(CommandError("/x", 1, "", "{\"msg\":\"exec container process `/x`: Exec format error\",\"level\":\"error\"}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, "another processor"));
  EXPECT_THAT(CommandError("/x", 1, "", "exec /x: exec format error\n"), StatusIs(absl::StatusCode::kInvalidArgument, "another processor"));
  EXPECT_THAT(CommandError("/x", 1, "mount `proc`: Operation not permitted", ""), StatusIs(absl::StatusCode::kInternal, "mount `proc`"));
}

}  // namespace
}  // namespace strata::executor

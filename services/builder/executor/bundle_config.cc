#include "services/builder/executor/bundle_config.h"

#include <linux/capability.h>

#include "absl/strings/str_cat.h"
#include "lib/base/check.h"
#include "lib/json/json.h"
#include "services/builder/executor/seccomp_profile.h"

namespace strata::executor {
namespace {

using json::Value;

struct Capability {
  const char* name;
  int number;
};

constexpr Capability kDefaultCapabilities[] = {
    {"CAP_CHOWN", CAP_CHOWN},
    {"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    {"CAP_FSETID", CAP_FSETID},
    {"CAP_FOWNER", CAP_FOWNER},
    {"CAP_MKNOD", CAP_MKNOD},
    {"CAP_NET_RAW", CAP_NET_RAW},
    {"CAP_SETGID", CAP_SETGID},
    {"CAP_SETUID", CAP_SETUID},
    {"CAP_SETFCAP", CAP_SETFCAP},
    {"CAP_SETPCAP", CAP_SETPCAP},
    {"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
    {"CAP_SYS_CHROOT", CAP_SYS_CHROOT},
    {"CAP_KILL", CAP_KILL},
    {"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE},
};

Value Capabilities(const BundleInput& input) {
  Value names = Value::array();
  for (const Capability& capability : kDefaultCapabilities) {
    // Without a device cgroup whoever may make a device node may read this machine's disks through it.
    if (capability.number == CAP_MKNOD && input.cgroup_path.empty()) continue;
    if ((input.available_capabilities >> capability.number & 1) == 0) continue;
    names.push_back(capability.name);
  }
  Value sets = {{"bounding", names}};
  // As execve would have it: only root starts with them.
  if (input.user.uid == 0) {
    sets["effective"] = names;
    sets["permitted"] = names;
  }
  return sets;
}

Value Process(const BundleInput& input) {
  Value process = {
      {"terminal", false},
      {"user", {{"uid", input.user.uid}, {"gid", input.user.gid}, {"umask", 022}}},
      {"args", input.args},
      {"env", input.env},
      {"cwd", input.working_dir},
      // As Docker does: set-user-id programs work within the capabilities below, so that RUN sudo is possible.
      {"noNewPrivileges", false},
      {"capabilities", Capabilities(input)},
      {"rlimits", Value::array({{{"type", "RLIMIT_NOFILE"}, {"soft", input.open_files}, {"hard", input.open_files}}})},
  };
  if (!input.user.additional_gids.empty()) process["user"]["additionalGids"] = input.user.additional_gids;
  return process;
}

Value Special(const char* target, const char* type, Value options) {
  return {{"destination", target}, {"type", type}, {"source", type}, {"options", std::move(options)}};
}

Value UserMount(const Mount& mount) {
  if (mount.is_tmpfs) {
    Value options = {"nosuid", "nodev", "mode=1777"};
    if (mount.tmpfs_size_bytes > 0) options.push_back(absl::StrCat("size=", mount.tmpfs_size_bytes));
    if (mount.read_only) options.push_back("ro");
    return {{"destination", mount.target}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", std::move(options)}};
  }
  return {{"destination", mount.target},
          {"type", "bind"},
          {"source", mount.source},
          {"options", {"rbind", "rprivate", "nosuid", "nodev", mount.read_only ? "ro" : "rw"}}};
}

Value Mounts(const BundleInput& input) {
  Value mounts = Value::array();
  mounts.push_back(Special("/proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(Special("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  mounts.push_back(Special("/dev/pts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  mounts.push_back(Special("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  mounts.push_back(Special("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(Special("/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  for (const Mount& mount : input.mounts) mounts.push_back(UserMount(mount));
  return mounts;
}

Value Resources(const BundleInput& input) {
  Value devices = Value::array();
  devices.push_back({{"allow", false}, {"access", "rwm"}});
  // Making any node is harmless as long as opening it is denied; packages do make some.
  devices.push_back({{"allow", true}, {"type", "c"}, {"access", "m"}});
  devices.push_back({{"allow", true}, {"type", "b"}, {"access", "m"}});
  Value resources = {{"devices", std::move(devices)}};
  if (input.memory_bytes > 0) resources["memory"] = {{"limit", input.memory_bytes}, {"swap", input.memory_bytes}};
  if (input.pids > 0) resources["pids"] = {{"limit", input.pids}};
  return resources;
}

Value Linux(const BundleInput& input) {
  Value namespaces = Value::array({{{"type", "pid"}}, {{"type", "ipc"}}, {{"type", "uts"}}, {{"type", "mount"}}});
  if (!input.host_network) namespaces.push_back({{"type", "network"}});
  Value section = {
      {"namespaces", std::move(namespaces)},
      {"rootfsPropagation", "rprivate"},
      {"maskedPaths",
       {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"}},
      {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}},
  };
  auto seccomp = json::Parse(SeccompProfileJson());
  STRATA_CHECK(seccomp.ok());
  section["seccomp"] = *std::move(seccomp);
  if (!input.cgroup_path.empty()) {
    section["cgroupsPath"] = input.cgroup_path;
    section["resources"] = Resources(input);
  }
  return section;
}

}  // namespace

std::string BundleConfigJson(const BundleInput& input) {
  return json::Dump({{"ociVersion", "1.0.2"},
                     {"process", Process(input)},
                     {"root", {{"path", input.root_path}, {"readonly", false}}},
                     {"hostname", input.hostname},
                     {"mounts", Mounts(input)},
                     {"linux", Linux(input)}});
}

}  // namespace strata::executor

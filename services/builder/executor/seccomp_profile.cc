#include "services/builder/executor/seccomp_profile.h"

#include <sched.h>

#include <cerrno>
#include <cstdint>

#include "lib/json/json.h"

namespace strata::executor {
namespace {

constexpr const char* kAllowed[] = {
#include "services/builder/executor/seccomp_syscalls.inc"
};

// clone() flags that make namespaces.
constexpr uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

constexpr uint64_t kVsock = 40;  // AF_VSOCK: reaches the hypervisor, past every network namespace

// Personalities that only change how addresses or names look; others weaken what protects the kernel and setuid programs.
constexpr uint64_t kPersonalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

json::Value Rule(const char* name, json::Value args) {
  return {{"names", {name}}, {"action", "SCMP_ACT_ALLOW"}, {"args", json::Value::array({std::move(args)})}};
}

json::Value Architectures() {
#if defined(__x86_64__)
  // Not X32: nothing is built for it, and each architecture costs every step 4 ms in the runtime's filter compiler.
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#elif defined(__aarch64__)
  return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
#error "add the seccomp names of this architecture"
#endif
}

std::string Generate() {
  json::Value allowed = json::Value::array();
  for (const char* name : kAllowed) allowed.push_back(name);
  json::Value rules = json::Value::array();
  rules.push_back({{"names", std::move(allowed)}, {"action", "SCMP_ACT_ALLOW"}});
  rules.push_back(Rule("clone", {{"index", 0}, {"value", kNamespaceFlags}, {"valueTwo", 0}, {"op", "SCMP_CMP_MASKED_EQ"}}));
  rules.push_back(Rule("socket", {{"index", 0}, {"value", kVsock}, {"op", "SCMP_CMP_NE"}}));
  for (uint64_t personality : kPersonalities) {
    rules.push_back(Rule("personality", {{"index", 0}, {"value", personality}, {"op", "SCMP_CMP_EQ"}}));
  }
  rules.push_back({{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  return json::Dump({{"defaultAction", "SCMP_ACT_ERRNO"},
                     {"defaultErrnoRet", EPERM},
                     {"architectures", Architectures()},
                     {"syscalls", std::move(rules)}});
}

}  // namespace

const std::string& SeccompProfileJson() {
  static const std::string* const profile = new std::string(Generate());
  return *profile;
}

}  // namespace strata::executor

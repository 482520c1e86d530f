// The system call filter of a step, as the "seccomp" object of an OCI runtime configuration.
//
// Default-deny with EPERM: what seccomp_syscalls.inc lists is allowed, a few calls are allowed with certain arguments only, and clone3
// answers ENOSYS, because a filter cannot see its flags and the C library then falls back to clone. The same set that Docker's users
// rely on, so that what builds there builds here.
// Spec: OCI runtime-spec, config-linux.md, "Seccomp".
#pragma once

#include <string>

namespace strata::executor {

// JSON text; the same for every step.
const std::string& SeccompProfileJson();

}  // namespace strata::executor

#include "services/builder/frontend/global_arguments.h"

#include "lib/base/status.h"
#include "services/builder/dockerfile/expand.h"

namespace strata::frontend {

namespace {

void SetPlatform(Variables& variables, const std::string& prefix, const oci::Platform& platform) {
  variables.Set(prefix + "PLATFORM", platform.ToString());
  variables.Set(prefix + "OS", platform.os);
  variables.Set(prefix + "OSVERSION", platform.os_version);
  variables.Set(prefix + "ARCH", platform.architecture);
  variables.Set(prefix + "VARIANT", platform.variant);
}

}  // namespace

absl::StatusOr<GlobalArguments> GlobalArguments::Make(const dockerfile::Dockerfile& file, const PlanOptions& options) {
  GlobalArguments arguments(options.build_args);
  SetPlatform(arguments.platform_, "BUILD", options.build_platform);
  SetPlatform(arguments.platform_, "TARGET", options.target_platform);
  arguments.platform_.Set("TARGETSTAGE", options.target.empty() ? "default" : options.target);
  const auto lookup = [&arguments](absl::string_view name) { return arguments.Get(name); };
  for (const dockerfile::Arg& arg : file.global_args) {
    for (const dockerfile::ArgEntry& entry : arg.args) {
      const auto build_arg = options.build_args.find(entry.name);
      if (build_arg != options.build_args.end()) {
        arguments.declared_.Set(entry.name, build_arg->second);
        continue;
      }
      if (!entry.default_value) continue;
      const auto value = dockerfile::ExpandWord(*entry.default_value, lookup, {.escape = file.directives.escape});
      if (!value.ok()) {
        return dockerfile::ErrorAt({file.file_name, arg.range.first_line}, value.status().message());
      }
      arguments.declared_.Set(entry.name, *value);
    }
  }
  return arguments;
}

std::optional<std::string> GlobalArguments::Get(absl::string_view name) const {
  if (auto value = declared_.Get(name)) return value;
  const auto build_arg = build_args_.find(std::string(name));
  if (build_arg != build_args_.end() && platform_.Get(name)) return build_arg->second;
  return platform_.Get(name);
}

std::optional<std::string> GlobalArguments::InStage(absl::string_view name, const std::optional<std::string>& otherwise) const {
  const auto build_arg = build_args_.find(std::string(name));
  if (build_arg != build_args_.end()) return build_arg->second;
  if (otherwise) return otherwise;
  return Get(name);
}

}  // namespace strata::frontend

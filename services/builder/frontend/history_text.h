// How history words what an instruction did: the words of Docker's frontend, which scanners and `docker history` readers know.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/oci/image_config.h"

namespace strata::frontend {

// ["sh" "-c" "a \"b\""]: what does not print is escaped.
std::string QuotedList(absl::Span<const std::string> words);

// [sh -c x]
std::string PlainList(absl::Span<const std::string> words);

// {Test:[CMD a] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3}
std::string HealthcheckText(const oci::Healthcheck& check);

}  // namespace strata::frontend

// Runs the program inside the test: its standard streams are strings, its environment a map, its builder a fake.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/fake_builder_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"

namespace strata::cli {

class AppFixture : public ::testing::Test {
 protected:
  AppFixture() { variables_ = {{"HOME", scratch_.path()}, {"STRATA_BUILDER", builder_.address()}, {"TMPDIR", scratch_.path()}}; }

  // The exit code; out_ and err_ hold what was printed.
  int Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    out_.clear();
    err_.clear();
    StringSource source(input);
    StringSink output(&out_);
    StringSink error(&err_);
    Environment environment = {
        .input = source,
        .output = output,
        .error = error,
        .input_is_terminal = input_is_terminal_,
        .output_is_terminal = output_is_terminal_,
        .get_variable = [this](const char* name) -> const char* {
          const auto found = variables_.find(name);
          return found == variables_.end() ? nullptr : found->second.c_str();
        },
        .clock = clock_,
        .interrupted = interrupted_,
    };
    return static_cast<int>(RunApp(arguments, environment));
  }

  testing::ScratchDir scratch_;
  FakeBuilder builder_;
  testing::FakeClock clock_;
  Cancellation interrupted_;
  std::map<std::string, std::string> variables_;
  bool input_is_terminal_ = false;
  bool output_is_terminal_ = false;
  std::string out_;
  std::string err_;
};

}  // namespace strata::cli

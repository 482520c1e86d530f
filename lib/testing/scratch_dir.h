// A fresh folder under TEST_TMPDIR (or /tmp), removed with everything in it when the object goes.
#pragma once

#include <string>

namespace strata::testing {

class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  const std::string& path() const { return path_; }
  // path() + "/" + name
  std::string Join(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Writes `content` to `path`, creating parent folders; aborts the test program on failure.
void WriteFile(const std::string& path, const std::string& content);
// The whole file; aborts the test program when it cannot be read.
std::string ReadFile(const std::string& path);

}  // namespace strata::testing

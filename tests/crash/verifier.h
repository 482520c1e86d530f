// Compares everything that a store says with everything that the model allows, while nothing is at work.
//
// Afterwards the model is certain about every fact. What is checked: each link, with all bytes of the blob in every repository that
// has it; each manifest with its bytes; each tag, and that its manifest is there; referrers; each cache record; each upload
// session and the offset it holds; the listings of repositories, tags and manifests, which may name nothing that nobody made;
// the counters of GetStatistics. One thread.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "tests/crash/content.h"
#include "tests/crash/model.h"
#include "tests/crash/stores.h"

namespace strata::crash {

class Verifier {
 public:
  Verifier(Model& model, const ContentLibrary& content, const Stores& stores)
      : model_(model), content_(content), stores_(stores) {}

  void CheckEverything();

  // For a store whose grace period and session lifetime are over, and no session in use: collects, and expects that exactly what is
  // named or needed is left, in rows, in counters, and in `count_extents()` files. Ends with a synced write, so that what was
  // collected stays so after a power cut.
  void CollectAndCheckEverything(const std::function<size_t()>& count_extents);

 private:
  void CheckSessions();
  void CheckLinks(const std::string& repository, bool is_collected);
  void CheckBytes(const std::string& repository, int key);
  void CheckManifests(const std::string& repository);
  void CheckReferrers(const std::string& repository);
  void CheckTags(const std::string& repository);
  void CheckRecords();
  void CheckRepositories(bool is_collected);
  void CheckFigures();
  void CheckRest(const std::function<size_t()>& count_extents);
  void WriteSynced();
  void CheckAll(bool is_collected);

  // False, after Fail(), when `status` is not OK.
  bool Expect(const absl::Status& status, const std::string& about);
  bool IsPresent(const std::string& key) const { return model_.Look(key).Is(kPresent); }
  std::vector<std::string> PresentManifests(const std::string& repository) const;
  std::set<int> NamedByManifests(const std::string& repository) const;
  std::set<int> NeededByRecords() const;

  Model& model_;
  const ContentLibrary& content_;
  const Stores& stores_;
  const CallContext context_;
};

}  // namespace strata::crash

#include "lib/compress/gzip.h"
#include "lib/tar/reader.h"
#include "services/builder/images/archive_format.h"
#include "services/builder/images/archive_reader.h"
#include "services/builder/images/archive_writer.h"
#include "services/builder/images/fixtures_for_test.h"
#include "services/builder/source/stored_image.h"

namespace strata::images {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using testing::StatusIs;

std::string Gzip(const std::string& content) {
  std::string out;
  StringSink sink(&out);
  compress::GzipSink gzip(sink);
  EXPECT_OK(gzip.Write(content));
  EXPECT_OK(gzip.Finish());
  return out;
}

// A store with what works on it.
struct World {
  blobstore::MemoryStore store;
  ImageCatalog catalog{store, store, {"reg.example"}, "docker.io"};
  CallContext context;

  std::string Save(const std::vector<std::string>& references) {
    std::string out;
    StringSink sink(&out);
    EXPECT_OK(ArchiveWriter(store, store, catalog).Write(context, references, sink));
    return out;
  }
  absl::StatusOr<std::vector<std::string>> Load(const std::string& archive) {
    StringSource source(archive);
    return ArchiveReader(store, store, catalog, {}).Load(context, source);
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto images = catalog.List(context, "", false);
    EXPECT_OK(images);
    for (const ImageSummary& image : *images) names.push_back(image.name.ToString());
    return names;
  }
  absl::StatusOr<source::StoredImage> Open(const std::string& repository, const std::string& tag) {
    return source::OpenStoredImage(context, store, store, repository, {.tag = tag}, *oci::Platform::Parse("linux/amd64"));
  }
  std::string Blob(const std::string& repository, const Digest& digest) {
    const auto content = source::ReadSmallBlob(context, store, repository, digest, 1 << 20);
    EXPECT_OK(content);
    return content.value_or("");
  }
};

std::map<std::string, std::string> FilesOf(const std::string& archive) {
  std::map<std::string, std::string> files;
  StringSource source(archive);
  tar::Reader reader(source);
  while (true) {
    auto entry = reader.Next();
    EXPECT_OK(entry);
    if (!entry.ok() || !*entry) return files;
    if ((*entry)->type != tar::EntryType::kFile) continue;
    EXPECT_TRUE(files.emplace((*entry)->name, *ReadAll(reader.content(), 1 << 20)).second) << (*entry)->name;
  }
}

// What `docker save` wrote before version 25.
struct Legacy {
  std::string layer1 = MakeTar({{"a", "first"}});
  std::string layer2 = MakeTar({{"b", "second"}});
  std::string config = ConfigOf({layer1, layer2, layer1});
  std::string config_file = std::string(Digest::Of(config).hex()) + ".json";
  std::string manifest = R"([{"Config":")" + config_file +
                         R"(","RepoTags":["app:1","docker.io/library/app:2","reg.example/own:3"],)"
                         R"("Layers":["l1/layer.tar","l2/layer.tar","l3/layer.tar"]}])";

  std::string Archive(bool manifest_first = false) const {
    std::vector<TarMember> members = {{"l1/VERSION", "1.0"},        {"l1/json", "{}"},         {"l1/layer.tar", layer1},
                                      {"l2/layer.tar", layer2},     {"l3/layer.tar", "", "../l1/layer.tar"},
                                      {config_file, config}};
    members.insert(manifest_first ? members.begin() : members.end(), {"manifest.json", manifest});
    return MakeTar(members);
  }
};

TEST(ArchiveTest, WhatWasSavedLoadsWithTheSameDigestsAndNames) {
  World from;
  const auto app = PutImage(from.store, "app", "1", {"layer a", "layer b"});
  ASSERT_OK(from.store.SetTag(from.context, "app", "2", app.digest));
  const auto amd = PutImage(from.store, "docker.io/library/multi", "", {"layer a", "amd"});
  const auto arm = PutImage(from.store, "docker.io/library/multi", "", {"layer a", "arm"}, "linux/arm64");
  const Digest index = PutIndex(from.store, "docker.io/library/multi", "x", {amd, arm});
  PutImage(from.store, "quay.example_5000/team/tool", "v1", {"tool"});
  const std::string archive = from.Save({"app:1", "app:2", "app:1", "docker.io/library/multi:x", "quay.example:5000/team/tool:v1"});

  for (const std::string& sent : {archive, Gzip(archive)}) {
    World to;
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> loaded, to.Load(sent));
    EXPECT_THAT(loaded, UnorderedElementsAre("app:1", "app:2", "docker.io/library/multi:x", "quay.example:5000/team/tool:v1"));
    EXPECT_EQ(to.Names(), from.Names());
    EXPECT_EQ(to.store.GetManifest(to.context, "app", {.tag = "2"})->digest, app.digest);
    EXPECT_EQ(to.store.GetManifest(to.context, "docker.io/library/multi", {.tag = "x"})->digest, index);
    EXPECT_OK(to.store.GetManifest(to.context, "docker.io/library/multi", {.digest = arm.digest}));
    EXPECT_EQ(to.Blob("docker.io/library/multi", Digest::Of("arm")), "arm");
    EXPECT_EQ(to.Save({"app:1", "app:2", "docker.io/library/multi:x", "quay.example:5000/team/tool:v1"}), archive);
  }
}

TEST(ArchiveTest, ASavedArchiveIsBothKindsAtOnce) {
  World world;
  const auto app = PutImage(world.store, "app", "1", {"layer a", "layer a"});
  const auto files = FilesOf(world.Save({"app:1"}));
  EXPECT_EQ(files.size(), 4u + 3u);  // one layer, one config, one manifest
  EXPECT_EQ(files.at("oci-layout"), kOciLayoutContent);
  const Digest config = Digest::Of(ConfigOf({"layer a", "layer a"}));
  const std::string layer = BlobPath(Digest::Of("layer a"));
  EXPECT_EQ(files.at(layer), "layer a");
  EXPECT_EQ(files.at("manifest.json"), R"([{"Config":")" + BlobPath(config) + R"(","RepoTags":["app:1"],"Layers":[")" + layer + R"(",")" +
                                           layer + R"("]}])");
  ASSERT_OK_AND_ASSIGN(const oci::Manifest index, oci::ParseManifest(files.at("index.json")));
  ASSERT_EQ(index.manifests.size(), 1u);
  EXPECT_EQ(index.manifests[0].digest, app.digest);
  EXPECT_THAT(index.manifests[0].annotations, ElementsAre(std::pair<std::string, std::string>(kContainerdNameAnnotation, "docker.io/library/app:1"),
                                                          std::pair<std::string, std::string>(kRefNameAnnotation, "app:1")));
}

TEST(ArchiveTest, AnImageSavedByIdHasNoName) {
  World from;
  const auto app = PutImage(from.store, "app", "1", {"layer"});
  World to;
  ASSERT_OK_AND_ASSIGN(const auto loaded, to.Load(from.Save({std::string(app.digest.hex().substr(0, 12))})));
  EXPECT_THAT(loaded, ElementsAre(app.digest.ToString()));
  EXPECT_OK(to.store.GetManifest(to.context, kNamelessRepository, {.digest = app.digest}));
}

TEST(ArchiveTest, SaysWhichImageCannotBeSaved) {
  World world;
  PutImage(world.store, "app", "1", {"layer"});
  std::string out;
  StringSink sink(&out);
  ArchiveWriter writer(world.store, world.store, world.catalog);
  const std::vector<std::string> references = {"app:1", "app:9"};
  EXPECT_THAT(writer.Write(world.context, references, sink), StatusIs(absl::StatusCode::kNotFound, "app:9"));
  EXPECT_EQ(out, "");
  EXPECT_THAT(writer.Write(world.context, {}, sink), StatusIs(absl::StatusCode::kInvalidArgument, "no image"));
}

TEST(ArchiveTest, LoadsWhatOldDockerSaved) {
  const Legacy legacy;
  for (const bool manifest_first : {false, true}) {
    World world;
    ASSERT_OK_AND_ASSIGN(const auto loaded, world.Load(legacy.Archive(manifest_first)));
    EXPECT_THAT(loaded, UnorderedElementsAre("app:1", "app:2", "own:3"));
    ASSERT_OK_AND_ASSIGN(const source::StoredImage image, world.Open("app", "2"));
    EXPECT_EQ(image.config_json, legacy.config);
    ASSERT_EQ(image.layers.size(), 3u);
    EXPECT_EQ(image.layers[2].blob, image.layers[0].blob);
    EXPECT_EQ(image.layers[0].media_type, oci::kOciLayerGzip);
    EXPECT_EQ(world.Blob("own", image.layers[1].blob), Gzip(legacy.layer2));
  }
}

// `docker save` of a containerd image store: the index names platforms that were never pulled.
TEST(ArchiveTest, TakesThePlatformThatAPartialIndexHas) {
  World from;
  const auto amd = PutImage(from.store, "app", "", {"amd"});
  const auto arm = PutImage(from.store, "app", "", {"arm"}, "linux/arm64");
  PutIndex(from.store, "app", "1", {arm, amd});
  auto files = FilesOf(from.Save({"app:1"}));
  ASSERT_EQ(files.erase(BlobPath(arm.digest)), 1u);
  std::vector<TarMember> members;
  for (const auto& [name, content] : files) members.push_back({name, content});
  World to;
  ASSERT_OK_AND_ASSIGN(const auto loaded, to.Load(MakeTar(members)));
  EXPECT_THAT(loaded, ElementsAre("app:1"));
  EXPECT_EQ(to.store.GetManifest(to.context, "app", {.tag = "1"})->digest, amd.digest);
}

TEST(ArchiveTest, TakesNamesFromAnOciLayout) {
  World from;
  PutImage(from.store, "app", "1", {"layer"});
  struct Case {
    std::string ref_name, containerd_name, want;
  };
  for (const Case& c : std::vector<Case>{{"1", "docker.io/team/app:1", "team/app:1"},
                                         {"docker.io/library/app:1", "", "app:1"},
                                         {"localhost/app:1", "", "localhost/app:1"},
                                         {"other", "", "other:latest"}}) {
    SCOPED_TRACE(c.want);
    auto files = FilesOf(from.Save({"app:1"}));
    files.erase("manifest.json");
    auto index = *oci::ParseManifest(files["index.json"]);
    index.manifests[0].annotations = {{kRefNameAnnotation, c.ref_name}, {kContainerdNameAnnotation, c.containerd_name}};
    files["index.json"] = oci::WriteManifest(index);
    std::vector<TarMember> members;
    for (const auto& [name, content] : files) members.push_back({"./" + name, content});
    World to;
    ASSERT_OK_AND_ASSIGN(const auto loaded, to.Load(MakeTar(members)));
    EXPECT_THAT(loaded, ElementsAre(c.want));
  }
}

TEST(ArchiveTest, RefusesHostileArchivesAndNamesNothing) {
  const Legacy legacy;
  World from;
  PutImage(from.store, "app", "1", {"layer"});
  const auto saved = FilesOf(from.Save({"app:1"}));
  const auto without = [&](const std::string& name) {
    std::vector<TarMember> members;
    for (const auto& [file, content] : saved) {
      if (file != name) members.push_back({file, content});
    }
    return MakeTar(members);
  };
  Legacy swapped = legacy;
  std::swap(swapped.layer1, swapped.layer2);
  Legacy short_list = legacy;
  short_list.manifest = R"([{"Config":")" + legacy.config_file + R"(","Layers":["l1/layer.tar"]}])";
  Legacy bad_name = legacy;
  bad_name.manifest.replace(bad_name.manifest.find("app:1"), 5, "App:1");
  struct Case {
    std::string name, archive, want;
  };
  for (const Case& c : std::vector<Case>{
           {"no tar", "no tar at all, just text", ""},
           {"empty", "", "neither manifest.json"},
           {"root file system", MakeTar({{"etc/passwd", "root"}}), "strata import"},
           {"cut", legacy.Archive().substr(0, 3000), ""},
           {"no list", MakeTar({{"manifest.json", "{}"}}), "not a list"},
           {"no json", MakeTar({{"manifest.json", "{\"a\":"}}), "JSON"},
           {"text", MakeTar({{"manifest.json", "hello"}}), "must be a JSON document"},
           {"empty list", MakeTar({{"manifest.json", "[]"}}), "no image"},
           {"no config", MakeTar({{"manifest.json", legacy.manifest}}), "lacks \"" + legacy.config_file},
           {"no layer", MakeTar({{"manifest.json", legacy.manifest}, {legacy.config_file, legacy.config}}), "lacks layer \"l1/layer.tar\""},
           {"other layers", swapped.Archive(), "but the image config wants"},
           {"layer count", short_list.Archive(), "1 layers, its config 3"},
           {"bad name", bad_name.Archive(), "App:1"},
           {"link circle", MakeTar({{"manifest.json", "", "manifest.json"}}), "neither manifest.json"},
           {"lying blob", MakeTar({{BlobPath(Digest::Of("a")), "b"}}), "blobs/sha256/"},
           {"lying document", MakeTar({{BlobPath(Digest::Of("a")), "{}"}}), "its bytes hash to"},
           {"no manifest blob", without(BlobPath(oci::ParseManifest(saved.at("index.json"))->manifests[0].digest)), "not complete"},
           {"no layer blob", without(BlobPath(Digest::Of("layer"))), "not complete"},
           {"many documents", MakeTar(std::vector<TarMember>(9, {"x.json", "{" + std::string(8 * 1024 * 1024 - 1, ' ')})), "of JSON documents"},
       }) {
    SCOPED_TRACE(c.name);
    World to;
    EXPECT_THAT(to.Load(c.archive), StatusIs(absl::StatusCode::kInvalidArgument, c.want));
    EXPECT_THAT(to.Names(), ElementsAre());
    EXPECT_EQ(to.store.GetStatistics(to.context)->open_uploads, 0);
  }
}

}  // namespace
}  // namespace strata::images

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/tar/header_block.h"
#include "lib/tar/reader.h"
#include "lib/tar/writer.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::tar {

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  out << EntryTypeName(entry.type) << " \"" << entry.name << "\" mode " << std::oct << entry.mode << std::dec << " uid " << entry.uid
      << " gid " << entry.gid << " size " << entry.size << " mtime " << FormatPaxTime(entry.mtime) << " link \"" << entry.link_name
      << "\" dev " << entry.dev_major << "," << entry.dev_minor << " " << entry.user_name << ":" << entry.group_name;
  for (const auto& [name, value] : entry.xattrs) out << " " << name << "=" << value.size() << " bytes";
  return out;
}

namespace {

using ::strata::testing::ReadFile;
using ::strata::testing::ScratchDir;
using ::strata::testing::StatusIs;
using ::strata::testing::WriteFile;

using Members = std::vector<std::pair<Entry, std::string>>;

std::string Pack(const Members& members, const WriterOptions& options = {}) {
  std::string out;
  StringSink sink(&out);
  Writer writer(sink, options);
  for (const auto& [entry, content] : members) {
    EXPECT_OK(writer.WriteHeader(entry));
    EXPECT_OK(writer.WriteContent(content));
  }
  EXPECT_OK(writer.Finish());
  return out;
}

absl::StatusOr<Members> Unpack(absl::string_view archive, const ReaderLimits& limits = {}) {
  StringSource source(archive);
  Reader reader(source, limits);
  Members members;
  while (true) {
    auto entry = reader.Next();
    if (!entry.ok()) return entry.status();
    if (!entry->has_value()) return members;
    auto content = ReadAll(reader.content(), 1 << 26);
    if (!content.ok()) return content.status();
    members.emplace_back(**std::move(entry), *std::move(content));
  }
}

Entry File(std::string name, uint64_t size = 0) { return Entry{.name = std::move(name), .size = size}; }

std::string RandomName(std::mt19937& random, size_t max) {
  std::string name;
  const size_t size = 1 + random() % max;
  while (name.size() < size) {
    switch (random() % 12) {
      case 0: name += name.empty() || name.back() == '/' ? "d" : "/"; break;
      case 1: name += static_cast<char>(0x80 + random() % 128); break;  // not UTF-8
      case 2: name += "ü"; break;
      case 3: name += "\n = "; break;
      default: name += static_cast<char>('a' + random() % 26);
    }
  }
  if (name.back() == '/') name.back() = 'x';
  return name;
}

Entry RandomEntry(std::mt19937& random) {
  Entry entry;
  entry.type = static_cast<EntryType>(random() % 7);
  entry.name = RandomName(random, random() % 4 == 0 ? 400 : 60);
  entry.mode = random() % 010000;
  entry.uid = random() % 3 == 0 ? random() % 4'000'000'000u : random() % 70'000;
  entry.gid = random() % 3 == 0 ? random() % 4'000'000'000u : random() % 70'000;
  entry.mtime = absl::FromUnixNanos(static_cast<int64_t>(random()) * 1'000'000'000 + random() % 1'000'000'000);
  if (random() % 8 == 0) entry.mtime = absl::UnixEpoch() - absl::Nanoseconds(random());
  if (random() % 8 == 0) entry.mtime = absl::FromUnixSeconds(20'000'000'000);
  if (entry.type == EntryType::kHardLink || entry.type == EntryType::kSymlink) entry.link_name = RandomName(random, 200);
  if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
    entry.dev_major = random() % 4096;
    entry.dev_minor = random() % 5'000'000;
  }
  if (random() % 4 == 0) entry.user_name = RandomName(random, 40);
  if (random() % 4 == 0) entry.group_name = "wheel";
  for (unsigned i = random() % 4; i > 2; --i) {
    entry.xattrs[absl::StrCat("user.k", i)] = std::string("\0\n=\xff", 4) + std::string(random() % 2000, 'v');
  }
  return entry;
}

TEST(Tar, WhatIsWrittenIsWhatIsRead) {
  std::mt19937 random(42);
  for (int round = 0; round < 200; ++round) {
    Members members;
    for (unsigned i = random() % 8; i > 0; --i) {
      Entry entry = RandomEntry(random);
      std::string content;
      if (entry.type == EntryType::kFile) content.assign(random() % 3 == 0 ? 512 * (random() % 3) : random() % 3000, 'c');
      entry.size = content.size();
      members.emplace_back(std::move(entry), std::move(content));
    }
    const std::string archive = Pack(members, {.sub_second_mtime = true});
    EXPECT_EQ(archive.size() % kBlockBytes, 0u);
    EXPECT_EQ(Pack(members, {.sub_second_mtime = true}), archive);
    ASSERT_OK_AND_ASSIGN(const Members back, Unpack(archive));
    ASSERT_EQ(back.size(), members.size()) << "round " << round;
    for (size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(back[i].first, members[i].first) << "round " << round;
      EXPECT_EQ(back[i].second, members[i].second);
    }
  }
}

TEST(Tar, LayerTimesAreWholeSecondsRoundedDown) {
  Entry entry = File("a");
  entry.mtime = absl::FromUnixMillis(1'700'000'000'999);
  EXPECT_EQ(Pack({{entry, ""}}).size(), 3 * kBlockBytes) << "no extended header";
  ASSERT_OK_AND_ASSIGN(const Members back, Unpack(Pack({{entry, ""}})));
  EXPECT_EQ(back[0].first.mtime, absl::FromUnixSeconds(1'700'000'000));
}

TEST(Tar, NamesUseTheUstarPrefixBeforePax) {
  const std::string name = std::string(150, 'd') + "/" + std::string(100, 'f');
  EXPECT_EQ(Pack({{File(name), ""}}).size(), 3 * kBlockBytes);
  ASSERT_OK_AND_ASSIGN(const Members back, Unpack(Pack({{File(name), ""}})));
  EXPECT_EQ(back[0].first.name, name);
}

// A tree with everything in it, made with the tools of the system.
void MakeTree(const std::string& dir) {
  const std::string script = absl::StrCat(
      "set -e; mkdir -p ", dir, "/d/sub; cd ", dir, "; printf hello > d/file; ln d/file d/hard; ln -s ../file d/sub/link; mkfifo d/fifo; ",
      "n=$(printf 'x%.0s' $(seq 1 120)); mkdir -p $n/$n; printf long > $n/$n/$n; ln -s $n/$n/$n longlink; ",
      "printf u > \"$(printf 'umlaut-\\303\\274')\"; head -c 100000 /dev/zero > zeros; chmod 4755 d/file; touch -d @1600000000.123456789 d/file; ",
      "chmod 1777 d; touch -d @1500000000 d");
  WriteFile(dir + ".sh", script);
  ASSERT_EQ(std::system(absl::StrCat("bash ", dir, ".sh").c_str()), 0);
}

TEST(Tar, ReadsEveryDialectOfGnuTar) {
  ScratchDir dir;
  MakeTree(dir.Join("tree"));
  for (const char* format : {"gnu", "pax", "oldgnu", "posix"}) {
    SCOPED_TRACE(format);
    const std::string archive = dir.Join(absl::StrCat(format, ".tar"));
    ASSERT_EQ(std::system(absl::StrCat("tar --sort=name --numeric-owner --format=", format, " -cf ", archive, " -C ", dir.Join("tree"), " .").c_str()), 0);
    ASSERT_OK_AND_ASSIGN(const Members members, Unpack(ReadFile(archive)));
    std::map<std::string, std::pair<Entry, std::string>> by_name;
    for (const auto& member : members) by_name[member.first.name] = member;
    EXPECT_EQ(by_name["./d"].first.type, EntryType::kDirectory);
    EXPECT_EQ(by_name["./d"].first.mode, 01777u);
    EXPECT_EQ(by_name["./d"].first.mtime, absl::FromUnixSeconds(1'500'000'000));
    EXPECT_EQ(by_name["./d/file"].second, "hello");
    EXPECT_EQ(by_name["./d/file"].first.mode, 04755u);
    EXPECT_EQ(by_name["./d/hard"].first.type, EntryType::kHardLink);
    EXPECT_EQ(by_name["./d/hard"].first.link_name, "./d/file");
    EXPECT_EQ(by_name["./d/sub/link"].first.link_name, "../file");
    EXPECT_EQ(by_name["./d/fifo"].first.type, EntryType::kFifo);
    EXPECT_EQ(by_name["./umlaut-\xc3\xbc"].second, "u");
    EXPECT_EQ(by_name["./zeros"].second, std::string(100'000, '\0'));
    const std::string n(120, 'x');
    EXPECT_EQ(by_name["./" + n + "/" + n + "/" + n].second, "long");
    EXPECT_EQ(by_name["./longlink"].first.link_name, n + "/" + n + "/" + n);
  }
}

TEST(Tar, GnuTarReadsWhatWeWrite) {
  ScratchDir dir;
  const std::string n(120, 'y');
  Entry sub{.name = "d", .type = EntryType::kDirectory, .mode = 0750};
  Entry file = File("d/file", 5);
  file.mode = 04711;
  file.mtime = absl::FromUnixSeconds(1'600'000'000);
  Entry deep = File(absl::StrCat("d/", n, "/", n, "/\xc3\xbc"), 1000);
  Entry link{.name = "d/link", .type = EntryType::kSymlink, .mode = 0777, .link_name = absl::StrCat(n, "/", n)};
  Entry hard{.name = "d/hard", .type = EntryType::kHardLink, .link_name = "d/file"};
  WriteFile(dir.Join("a.tar"), Pack({{sub, ""}, {file, "hello"}, {deep, std::string(1000, 'q')}, {link, ""}, {hard, ""}}));
  ASSERT_EQ(std::system(absl::StrCat("mkdir ", dir.Join("out"), " && tar -xpf ", dir.Join("a.tar"), " -C ", dir.Join("out"), " 2> ", dir.Join("err")).c_str()), 0);
  EXPECT_EQ(ReadFile(dir.Join("err")), "");
  EXPECT_EQ(ReadFile(dir.Join("out/d/hard")), "hello");
  EXPECT_EQ(ReadFile(dir.Join(absl::StrCat("out/d/", n, "/", n, "/\xc3\xbc"))), std::string(1000, 'q'));
  ASSERT_EQ(std::system(absl::StrCat("stat -c '%a %Y %h' ", dir.Join("out/d/file"), " > ", dir.Join("stat")).c_str()), 0);
  EXPECT_EQ(ReadFile(dir.Join("stat")), "4711 1600000000 2\n");
}

TEST(Tar, GlobalHeadersApplyToAllAndLocalOnesWin) {
  std::string archive = Pack({{File("plain"), ""}});
  // A local extended header is turned into a global one by its type.
  Entry named = File("n");
  named.user_name = std::string(40, 'u');
  std::string global = Pack({{named, ""}}).substr(0, 2 * kBlockBytes);
  global[kTypeFlag.offset] = 'g';
  PutChecksum(global.data());
  named.user_name = std::string(41, 'v');
  ASSERT_OK_AND_ASSIGN(const Members back, Unpack(global + archive.substr(0, kBlockBytes) + Pack({{named, ""}})));
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].first.user_name, std::string(40, 'u'));
  EXPECT_EQ(back[1].first.user_name, std::string(41, 'v'));
}

TEST(Tar, ReadsBase256Sizes) {
  std::string archive = Pack({{File("big", 3), "abc"}});
  std::memset(&archive[kSize.offset], 0, kSize.size);
  archive[kSize.offset] = static_cast<char>(0x80);
  archive[kSize.offset + kSize.size - 1] = 3;
  PutChecksum(archive.data());
  ASSERT_OK_AND_ASSIGN(const Members back, Unpack(archive));
  EXPECT_EQ(back[0].second, "abc");
}

TEST(Tar, AnArchiveMayEndWithoutZeroBlocks) {
  const std::string archive = Pack({{File("a", 5), "hello"}});
  for (const size_t keep : {2 * kBlockBytes, 3 * kBlockBytes}) {
    ASSERT_OK_AND_ASSIGN(const Members back, Unpack(absl::string_view(archive).substr(0, keep)));
    EXPECT_EQ(back.size(), 1u);
  }
  ASSERT_OK_AND_ASSIGN(const Members none, Unpack(""));
  EXPECT_TRUE(none.empty());
}

TEST(Tar, DamageIsReported) {
  const std::string archive = Pack({{File("a", 2000), std::string(2000, 'x')}, {File("b"), ""}});
  EXPECT_THAT(Unpack(absl::string_view(archive).substr(0, 300)), StatusIs(absl::StatusCode::kInvalidArgument, "cut short inside a header"));
  EXPECT_THAT(Unpack(absl::string_view(archive).substr(0, 1500)), StatusIs(absl::StatusCode::kInvalidArgument, "cut short inside a file"));
  EXPECT_THAT(Unpack(std::string(2000, 'z')), StatusIs(absl::StatusCode::kInvalidArgument, "not a tar archive"));
  std::string bad = archive;
  bad[5 * kBlockBytes] ^= 1;
  EXPECT_THAT(Unpack(bad), StatusIs(absl::StatusCode::kInvalidArgument, "at byte 2560"));
}

TEST(Tar, LimitsHold) {
  EXPECT_THAT(Unpack(Pack({{File(std::string(300, 'n')), ""}}), {.max_name_bytes = 299}), StatusIs(absl::StatusCode::kResourceExhausted, "299"));
  Entry entry = File("x");
  entry.xattrs["user.big"] = std::string(5000, 'v');
  EXPECT_THAT(Unpack(Pack({{entry, ""}}), {.max_pax_bytes = 4096}), StatusIs(absl::StatusCode::kResourceExhausted, "4096"));
  EXPECT_THAT(Unpack(Pack({{File("a"), ""}, {File("b"), ""}}), {.max_entries = 1}), StatusIs(absl::StatusCode::kResourceExhausted, "more than 1"));
}

TEST(Tar, SparseFilesAreRefusedByName) {
  ScratchDir dir;
  for (const char* format : {"gnu", "pax"}) {
    ASSERT_EQ(std::system(absl::StrCat("cd ", dir.path(), " && truncate -s 10M holes && echo x >> holes && tar --sparse --format=", format, " -cf s.tar holes").c_str()), 0);
    EXPECT_THAT(Unpack(ReadFile(dir.Join("s.tar"))), StatusIs(absl::StatusCode::kUnimplemented, "sparse")) << format;
  }
}

TEST(Tar, TheWriterHoldsEntriesToTheirSize) {
  std::string out;
  StringSink sink(&out);
  Writer writer(sink);
  EXPECT_OK(writer.WriteHeader(File("a", 3)));
  EXPECT_THAT(writer.WriteContent("four"), StatusIs(absl::StatusCode::kInvalidArgument, "longer"));
  EXPECT_THAT(writer.WriteHeader(File("b")), StatusIs(absl::StatusCode::kFailedPrecondition, "lacks 3"));
  Writer other(sink);
  StringSource short_source("ab");
  EXPECT_THAT(other.WriteEntry(File("c", 3), short_source), StatusIs(absl::StatusCode::kAborted, "shorter"));
  Writer third(sink);
  StringSource long_source("abcd");
  EXPECT_THAT(third.WriteEntry(File("c", 3), long_source), StatusIs(absl::StatusCode::kAborted, "grew"));
}

}  // namespace
}  // namespace strata::tar

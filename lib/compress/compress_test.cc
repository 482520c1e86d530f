#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <string>

#include "lib/compress/block_sink.h"
#include "lib/compress/decompressing_source.h"
#include "lib/compress/gzip.h"
#include "lib/compress/zstd.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::compress {
namespace {

using ::strata::testing::ReadFile;
using ::strata::testing::ScratchDir;
using ::strata::testing::StatusIs;
using ::strata::testing::WriteFile;

// Half words, half noise: compressible, with stored blocks in between.
std::string Sample(size_t size, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::string out;
  out.reserve(size + 64);
  while (out.size() < size) {
    if (random() % 2 == 0) {
      out.append("the quick brown fox ").append(std::to_string(random() % 100));
    } else {
      for (int i = 0; i < 24; ++i) out.push_back(static_cast<char>(random()));
    }
  }
  out.resize(size);
  return out;
}

std::string Noise(size_t size) {
  std::mt19937 random(7);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

template <typename Sink, typename Options>
std::string Compress(const std::string& plain, const Options& options, size_t piece = 100'000) {
  std::string out;
  StringSink inner(&out);
  Sink sink(inner, options);
  for (size_t at = 0; at < plain.size(); at += piece) EXPECT_OK(sink.Write(absl::string_view(plain).substr(at, piece)));
  EXPECT_OK(sink.Finish());
  return out;
}

std::string Gzip(const std::string& plain, int threads = 2) { return Compress<GzipSink>(plain, GzipOptions{.threads = threads}); }

// Gives at most `piece` bytes a call, as a slow network does.
class DribblingSource final : public ByteSource {
 public:
  DribblingSource(absl::string_view data, size_t piece) : inner_(data), piece_(piece) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return inner_.Read(buffer, std::min(size, piece_)); }

 private:
  StringSource inner_;
  size_t piece_;
};

absl::StatusOr<std::string> Decompress(absl::string_view data, Format want, size_t piece = 1 << 20, uint64_t limit = 1ull << 40) {
  DribblingSource input(data, piece);
  auto source = DecompressingSource::Open(input, {.output_limit_bytes = limit});
  if (!source.ok()) return source.status();
  EXPECT_EQ(FormatName((*source)->format()), FormatName(want));
  return ReadAll(**source, 1 << 30);
}

std::string RunTool(const std::string& command, const std::string& input) {
  ScratchDir dir;
  WriteFile(dir.Join("in"), input);
  const std::string line = command + " < " + dir.Join("in") + " > " + dir.Join("out");
  EXPECT_EQ(std::system(line.c_str()), 0) << line;
  return ReadFile(dir.Join("out"));
}

TEST(GzipSink, RoundTripsAtEverySizeAroundAMember) {
  const size_t mib = 1 << 20;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{5}, mib - 1, mib, mib + 1, 3 * mib, 7 * mib + 12345}) {
    SCOPED_TRACE(size);
    const std::string plain = Sample(size);
    const std::string packed = Gzip(plain);
    ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed, Format::kGzip));
    EXPECT_TRUE(back == plain);
    EXPECT_TRUE(RunTool("gzip -dc", packed) == plain) << "GNU gzip reads something else";
  }
}

TEST(GzipSink, BytesDependOnTheContentOnly) {
  const std::string plain = Sample(9 << 20);
  const std::string one = Compress<GzipSink>(plain, GzipOptions{.threads = 1}, 1 << 20);
  for (const int threads : {0, 2, 3, 8}) {
    EXPECT_TRUE(Compress<GzipSink>(plain, GzipOptions{.threads = threads}, 77'777) == one) << threads << " threads";
  }
  const std::string header = one.substr(0, 10);
  EXPECT_EQ(header, std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10)) << "no name, no time, OS unknown";
}

// Workers overtake each other when blocks differ in cost; the order must hold and no block may be taken twice.
TEST(BlockSink, KeepsOrderWhenBlocksTakeUnequalTime) {
  std::atomic<int> transformed = 0;
  const auto make = [&transformed] {
    return [&transformed](absl::string_view block, char* out, size_t capacity) -> absl::StatusOr<size_t> {
      volatile uint64_t spin = 0;
      for (int i = 0; i < (block[0] % 7) * 3000; ++i) spin = spin + 1;
      std::copy(block.begin(), block.end(), out);
      ++transformed;
      return block.size();
    };
  };
  const std::string plain = Noise(400'000);
  for (int threads = 1; threads <= 4; ++threads) {
    std::string out;
    StringSink inner(&out);
    BlockSink sink(inner, {.block_bytes = 64, .output_capacity = 64, .threads = threads}, make);
    transformed = 0;
    EXPECT_OK(sink.Write(plain));
    EXPECT_OK(sink.Finish());
    EXPECT_TRUE(out == plain) << threads << " threads";
    EXPECT_EQ(transformed, 400'000 / 64);
  }
}

TEST(GzipSink, NoiseGrowsByLessThanAPerMille) {
  const std::string plain = Noise(5 << 20);
  const std::string packed = Gzip(plain);
  EXPECT_LT(packed.size(), plain.size() + plain.size() / 1000);
  ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed, Format::kGzip));
  EXPECT_TRUE(back == plain);
}

class FailingSink final : public ByteSink {
 public:
  absl::Status Write(absl::string_view data) override { return absl::UnavailableError("peer gone"); }
};

TEST(GzipSink, ErrorsOfTheReceiverAreSticky) {
  FailingSink inner;
  GzipSink sink(inner, {.threads = 2});
  const std::string plain = Noise(8 << 20);
  EXPECT_THAT(sink.Write(plain), StatusIs(absl::StatusCode::kUnavailable, "peer gone"));
  EXPECT_THAT(sink.Write("x"), StatusIs(absl::StatusCode::kUnavailable, "peer gone"));
  EXPECT_THAT(sink.Finish(), StatusIs(absl::StatusCode::kUnavailable, "peer gone"));
}

TEST(GzipSink, CanBeDroppedUnfinished) {
  std::string out;
  StringSink inner(&out);
  GzipSink sink(inner, {.threads = 3});
  EXPECT_OK(sink.Write(Noise(5 << 20)));
}

TEST(ZstdSink, RoundTripsAndDoesNotDependOnThreads) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4} << 20, (size_t{9} << 20) + 7}) {
    SCOPED_TRACE(size);
    const std::string plain = Sample(size);
    const std::string packed = Compress<ZstdSink>(plain, ZstdOptions{.level = 3, .threads = 1});
    EXPECT_TRUE(Compress<ZstdSink>(plain, ZstdOptions{.level = 3, .threads = 3}, 4097) == packed);
    ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed, Format::kZstd, 50'000));
    EXPECT_TRUE(back == plain);
  }
}

TEST(DecompressingSource, ReadsPlainContentAsItIs) {
  for (const std::string plain : {"", "x", "BZh1 is how this text starts", "\x1f\x8b", "hello world, this is plain"}) {
    ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(plain, Format::kPlain, 3));
    EXPECT_EQ(back, plain);
  }
}

TEST(DecompressingSource, ReadsWhatTheToolsWriteHoweverItArrives) {
  struct Tool {
    const char* command;
    Format format;
  };
  const std::string plain = Sample(300'000);
  for (const Tool& tool : {Tool{"gzip -c", Format::kGzip}, Tool{"gzip -9 -c", Format::kGzip}, Tool{"bzip2 -c", Format::kBzip2},
                           Tool{"xz -c", Format::kXz}}) {
    const std::string packed = RunTool(tool.command, plain);
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, size_t{1} << 20}) {
      SCOPED_TRACE(std::string(tool.command) + " in pieces of " + std::to_string(piece));
      ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed, tool.format, piece));
      EXPECT_TRUE(back == plain);
      // Several members, streams or frames are one content.
      ASSERT_OK_AND_ASSIGN(const std::string twice, Decompress(packed + packed, tool.format, piece));
      EXPECT_TRUE(twice == plain + plain);
    }
  }
}

TEST(DecompressingSource, ReadsGzipHeadersWithEveryOptionalField) {
  const std::string body = RunTool("gzip -nc", "hello").substr(10);
  std::string header("\x1f\x8b\x08\x1c\x01\x02\x03\x04\x00\x03", 10);  // FEXTRA, FNAME, FCOMMENT
  header += std::string("\x05\x00", 2) + "extra";
  header += std::string("a name") + '\0' + std::string(1000, 'c') + '\0';
  for (const size_t piece : {size_t{1}, size_t{13}, size_t{4096}}) {
    ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(header + body + header + body, Format::kGzip, piece));
    EXPECT_EQ(back, "hellohello") << piece;
  }
}

TEST(DecompressingSource, SmallMembersInOneBuffer) {
  std::string packed;
  std::string plain;
  for (int i = 0; i < 200; ++i) {
    const std::string piece = Sample(static_cast<size_t>(i) * 3, static_cast<uint32_t>(i));
    packed += Gzip(piece, 0);
    plain += piece;
  }
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1} << 20}) {
    ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed, Format::kGzip, piece));
    EXPECT_TRUE(back == plain) << piece;
  }
}

TEST(DecompressingSource, ZeroPaddingAfterGzipIsIgnoredAnythingElseIsNot) {
  const std::string packed = Gzip("hello");
  ASSERT_OK_AND_ASSIGN(const std::string back, Decompress(packed + std::string(1000, '\0'), Format::kGzip));
  EXPECT_EQ(back, "hello");
  EXPECT_THAT(Decompress(packed + "garbage", Format::kGzip), StatusIs(absl::StatusCode::kInvalidArgument, "gzip"));
  EXPECT_THAT(Decompress(packed + std::string(3, '\0') + packed, Format::kGzip),
              StatusIs(absl::StatusCode::kInvalidArgument, "zero padding"));
}

TEST(DecompressingSource, EveryTruncationAndMostCorruptionsAreSeen) {
  const std::string plain = Sample(20'000);
  const std::string zstd = Compress<ZstdSink>(plain, ZstdOptions{});
  const std::string cases[] = {Gzip(plain), zstd, RunTool("bzip2 -c", plain), RunTool("xz -c", plain)};
  for (const std::string& packed : cases) {
    const Format format = SniffFormat(packed);
    for (size_t keep = 12; keep < packed.size(); keep += 97) {
      EXPECT_THAT(Decompress(packed.substr(0, keep), format), StatusIs(absl::StatusCode::kInvalidArgument, "")) << keep;
    }
    for (size_t at = 20; at < packed.size(); at += 211) {
      std::string bad = packed;
      bad[at] = static_cast<char>(bad[at] ^ 0x55);
      const auto back = Decompress(bad, format);
      EXPECT_TRUE(!back.ok() || *back == plain) << FormatName(format) << ": wrong content accepted, byte " << at;
    }
  }
}

TEST(DecompressingSource, StopsABomb) {
  const std::string bomb = Gzip(std::string(50 << 20, 'a'));
  EXPECT_THAT(Decompress(bomb, Format::kGzip, 1 << 20, 1 << 20), StatusIs(absl::StatusCode::kResourceExhausted, "limit of 1048576"));
  EXPECT_OK(Decompress(bomb, Format::kGzip, 1 << 20, 50 << 20));
}

}  // namespace
}  // namespace strata::compress

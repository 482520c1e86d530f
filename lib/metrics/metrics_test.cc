#include "lib/metrics/metrics.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace strata::metrics {
namespace {

using ::testing::HasSubstr;

TEST(MetricsTest, RendersEveryKind) {
  Registry registry;
  registry.AddCounter("calls_total", "Calls.", {{"method", "Read\"\\\nBlob"}}).Add(3);
  registry.AddCounter("calls_total", "Calls.", {{"method", "Stat"}}).Add();
  registry.AddGauge("sessions", "Open sessions.").Set(-2);
  registry.AddCallback("free_bytes", "Free.", [] { return 1.5; });
  Histogram& latency = registry.AddHistogram("latency_seconds", "Latency.", {{"m", "a"}}, {0.1, 1});
  latency.Observe(0.1);
  latency.Observe(absl::Milliseconds(500));
  latency.Observe(7);
  EXPECT_EQ(registry.Render(),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
            "calls_total{method=\"Read\\\"\\\\\\nBlob\"} 3\ncalls_total{method=\"Stat\"} 1\n"
            "# HELP free_bytes Free.\n# TYPE free_bytes gauge\nfree_bytes 1.5\n"
            "# HELP latency_seconds Latency.\n# TYPE latency_seconds histogram\n"
            "latency_seconds_bucket{m=\"a\",le=\"0.1\"} 1\nlatency_seconds_bucket{m=\"a\",le=\"1\"} 2\n"
            "latency_seconds_bucket{m=\"a\",le=\"+Inf\"} 3\nlatency_seconds_sum{m=\"a\"} 7.6\nlatency_seconds_count{m=\"a\"} 3\n"
            "# HELP sessions Open sessions.\n# TYPE sessions gauge\nsessions -2\n");
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameMetric) {
  Registry registry;
  EXPECT_EQ(&registry.AddCounter("c", "h", {{"a", "1"}}), &registry.AddCounter("c", "h", {{"a", "1"}}));
  EXPECT_NE(&registry.AddCounter("c", "h", {{"a", "1"}}), &registry.AddCounter("c", "h", {{"a", "2"}}));
}

TEST(MetricsTest, CountsFromManyThreads) {
  Registry registry;
  Counter& counter = registry.AddCounter("c", "h");
  Histogram& histogram = registry.AddHistogram("h", "h");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        counter.Add();
        histogram.Observe(1.0);
      }
    });
  }
  registry.Render();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000u);
  EXPECT_EQ(histogram.sum(), 4000.0);
}

TEST(MetricsTest, ProcessFiguresAreThere) {
  Registry registry;
  AddProcessMetrics(registry);
  const std::string text = registry.Render();
  EXPECT_THAT(text, HasSubstr("\nprocess_resident_memory_bytes "));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("process_open_fds 0\n")));
}

}  // namespace
}  // namespace strata::metrics

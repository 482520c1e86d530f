#include "lib/metrics/metrics.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "lib/base/check.h"

namespace strata::metrics {

namespace {

std::string RenderLabels(const Labels& labels) {
  return absl::StrJoin(labels, ",", [](std::string* out, const auto& label) {
    absl::StrAppend(out, label.first, "=\"",
                    absl::StrReplaceAll(label.second, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}), "\"");
  });
}

std::string Number(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? absl::StrCat(whole) : absl::StrCat(value);
}

void AppendSample(absl::string_view name, absl::string_view labels, absl::string_view value, std::string& out) {
  absl::StrAppend(&out, name);
  if (!labels.empty()) absl::StrAppend(&out, "{", labels, "}");
  absl::StrAppend(&out, " ", value, "\n");
}

void RenderHistogram(const std::string& name, const std::string& labels, const Histogram& histogram, std::string& out) {
  const absl::string_view comma = labels.empty() ? "" : ",";
  uint64_t total = 0;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    total += histogram.count_in(i);
    const std::string bound = i < histogram.bounds().size() ? absl::StrCat(histogram.bounds()[i]) : "+Inf";
    AppendSample(absl::StrCat(name, "_bucket"), absl::StrCat(labels, comma, "le=\"", bound, "\""), absl::StrCat(total), out);
  }
  AppendSample(absl::StrCat(name, "_sum"), labels, absl::StrCat(histogram.sum()), out);
  AppendSample(absl::StrCat(name, "_count"), labels, absl::StrCat(total), out);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  STRATA_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<double> LatencyBounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Registry::Metric& Registry::Find(absl::string_view name, absl::string_view help, Kind kind, const Labels& labels,
                                 const std::function<void(Metric&)>& initialise) {
  const std::string rendered = RenderLabels(labels);
  MutexLock lock(mutex_);
  Family& family = families_[std::string(name)];
  if (family.metrics.empty()) {
    family.help = std::string(help);
    family.kind = kind;
  }
  STRATA_CHECK(family.kind == kind);
  std::shared_ptr<Metric>& metric = family.metrics[rendered];
  if (metric == nullptr) {
    metric = std::make_shared<Metric>();
    initialise(*metric);
  }
  return *metric;
}

Counter& Registry::AddCounter(absl::string_view name, absl::string_view help, Labels labels) {
  return Find(name, help, Kind::kCounter, labels, [](Metric&) {}).counter;
}

Gauge& Registry::AddGauge(absl::string_view name, absl::string_view help, Labels labels) {
  return Find(name, help, Kind::kGauge, labels, [](Metric&) {}).gauge;
}

Histogram& Registry::AddHistogram(absl::string_view name, absl::string_view help, Labels labels, std::vector<double> bounds) {
  return *Find(name, help, Kind::kHistogram, labels, [&](Metric& metric) {
            metric.histogram = std::make_unique<Histogram>(std::move(bounds));
          }).histogram;
}

void Registry::AddCallback(absl::string_view name, absl::string_view help, std::function<double()> value, Labels labels) {
  Find(name, help, Kind::kGauge, labels, [&](Metric& metric) { metric.callback = std::move(value); });
}

void Registry::RenderFamily(const std::string& name, const Family& family, std::string& out) {
  const absl::string_view kind =
      family.kind == Kind::kCounter ? "counter" : family.kind == Kind::kGauge ? "gauge" : "histogram";
  absl::StrAppend(&out, "# HELP ", name, " ", absl::StrReplaceAll(family.help, {{"\\", "\\\\"}, {"\n", "\\n"}}), "\n");
  absl::StrAppend(&out, "# TYPE ", name, " ", kind, "\n");
  for (const auto& [labels, metric] : family.metrics) {
    if (family.kind == Kind::kHistogram) {
      RenderHistogram(name, labels, *metric->histogram, out);
    } else if (family.kind == Kind::kCounter) {
      AppendSample(name, labels, absl::StrCat(metric->counter.value()), out);
    } else {
      AppendSample(name, labels, metric->callback ? Number(metric->callback()) : absl::StrCat(metric->gauge.value()), out);
    }
  }
}

std::string Registry::Render() const {
  std::map<std::string, Family> families;
  {
    MutexLock lock(mutex_);
    families = families_;
  }
  std::string out;
  for (const auto& [name, family] : families) RenderFamily(name, family, out);
  return out;
}

}  // namespace strata::metrics

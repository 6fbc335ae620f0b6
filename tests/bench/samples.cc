#include "tests/bench/samples.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace bulkhead::bench {
namespace {

std::string Cell(const Samples& samples) {
  char text[64];
  if (samples.count() == 1) {
    snprintf(text, sizeof text, "%.2f", samples.Percentile(0.5));
  } else {
    snprintf(text, sizeof text, "%.1f (%.1f-%.1f) p99 %.1f", samples.Percentile(0.5),
             samples.Percentile(0.1), samples.Percentile(0.9), samples.Percentile(0.99));
  }
  return text;
}

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

}  // namespace

double Samples::Percentile(double share) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

Samples& Report::Of(const std::string& group, const std::string& name, const std::string& unit,
                    const std::string& target) {
  for (Figure& figure : figures_) {
    if (figure.group == group && figure.name == name && figure.target == target) {
      return figure.samples;
    }
  }
  figures_.push_back({group, name, unit, target, {}});
  return figures_.back().samples;
}

std::string Report::Table(const std::vector<std::string>& targets) const {
  std::string table = Padded("median (p10-p90) p99", 46);
  for (const std::string& target : targets) table += Padded(target, 34);
  std::string group;
  for (const Figure& row : figures_) {
    if (row.target != targets.front()) continue;
    if (row.group != group) table += "\n" + (group = row.group);
    table += "\n" + Padded("  " + row.name + ", " + row.unit, 46);
    for (const std::string& target : targets) {
      auto cell = std::find_if(figures_.begin(), figures_.end(), [&](const Figure& figure) {
        return figure.target == target && figure.group == row.group && figure.name == row.name;
      });
      table += Padded(cell == figures_.end() ? "-" : Cell(cell->samples), 34);
    }
  }
  return table + "\n";
}

std::string Report::Json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Figure& figure : figures_) {
    list.push_back({{"group", figure.group},
                    {"name", figure.name},
                    {"unit", figure.unit},
                    {"target", figure.target},
                    {"count", figure.samples.count()},
                    {"p10", figure.samples.Percentile(0.1)},
                    {"median", figure.samples.Percentile(0.5)},
                    {"p90", figure.samples.Percentile(0.9)},
                    {"p99", figure.samples.Percentile(0.99)}});
  }
  return list.dump(2) + "\n";
}

}  // namespace bulkhead::bench

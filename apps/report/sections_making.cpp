// How the result came about: the time, the machine, the configuration.
#include <fmt/core.h>

#include "apps/report/chart.h"
#include "apps/report/sections.h"
#include "base/check.h"
#include "base/progress.h"

namespace laclip {
namespace {

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  return format_duration(seconds) + (seconds < 3600 ? " min" : " h");
}

// The leaves of a JSON value as rows "machine cores | 2".
void manifest_rows(Html& html, const std::string& name, const Json& value) {
  if (value.is_object()) {
    for (const auto& [field, part] : value.items())
      manifest_rows(html, name.empty() ? field : name + " " + field, part);
    return;
  }
  html.nest("tr", {}, [&] {
    html.element("th", name, {{"scope", "row"}});
    html.element("td", value.is_string() ? value.get<std::string>() : value.dump());
  });
}

template <class Body>
void facts(Html& html, Body&& body) {
  html.nest("div", {{"class", "scroll"}}, [&] {
    html.nest("table", {{"class", "facts"}}, [&] { html.nest("tbody", {}, body); });
  });
}

}  // namespace

void timings_section(Html& html, const std::string& file) {
  if (file.empty()) return;
  const Json stages = read_json(file);
  check(stages.is_array() && !stages.empty(),
        "{}: a list of {{\"stage\", \"seconds\", \"command\"}} is needed", file);
  std::vector<Bar> bars;
  std::vector<std::pair<std::string, std::string>> commands;
  double total = 0;
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::string place = fmt::format("{}: entry {}", file, i + 1);
    const auto name = json_field<std::string>(stages[i], "stage", place);
    const auto seconds = json_field<double>(stages[i], "seconds", place);
    check(seconds >= 0, "{}: {} seconds", place, seconds);
    bars.push_back({name, duration_text(seconds), seconds});
    total += seconds;
    if (const auto command = json_field<std::string>(stages[i], "command", place, "");
        !command.empty())
      commands.emplace_back(name, command);
  }
  section(html, "Where the time went", [&] {
    html.element("p", fmt::format("{} in all.", duration_text(total)));
    html.nest("figure", {{"class", "bars"}}, [&] { bar_chart(html, "Time of each stage", bars); });
    if (commands.empty()) return;
    details(html, "The commands", [&] {
      for (const auto& [name, command] : commands) {
        html.element("h3", name);
        html.element("pre", command, {{"tabindex", "0"}});
      }
    });
  });
}

void manifests_section(Html& html, const std::vector<RunData>& runs) {
  section(html, "How the runs were made", [&] {
    for (const RunData& run : runs)
      details(html, run.name, [&] {
        if (run.manifest.is_null() && run.configuration.empty())
          return html.element("p", "This folder has no manifest.json and no config.toml.");
        facts(html, [&] {
          html.nest("tr", {}, [&] {
            html.element("th", "folder", {{"scope", "row"}});
            html.element("td", run.folder.string());
          });
          manifest_rows(html, "", run.manifest.is_null() ? Json::object() : run.manifest);
        });
        if (run.configuration.empty()) return;
        html.element("h3", "Configuration");
        facts(html, [&] {
          for (const auto& [option, value] : run.configuration) manifest_rows(html, option, value);
        });
      });
  });
}

}  // namespace laclip

#include "apps/config_file.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>

#include "base/check.h"

namespace laclip {
namespace {

// The last value of --config among the arguments, or "".
std::string config_path(const std::vector<std::string>& arguments) {
  std::string path;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config" && i + 1 < arguments.size()) path = arguments[i + 1];
    if (arguments[i].starts_with("--config=")) path = arguments[i].substr(9);
  }
  return path;
}

bool given(const std::vector<std::string>& arguments, const CLI::Option& option) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    const std::string flag = argument.substr(0, argument.find('='));
    for (const auto& name : option.get_lnames())
      if (flag == "--" + name) return true;
    for (const auto& name : option.get_snames())
      if (flag == "-" + name) return true;
    return false;
  });
}

}  // namespace

std::vector<std::string> expand_config_file(std::vector<std::string> arguments,
                                            const CLI::App& program) {
  const std::string path = config_path(arguments);
  if (path.empty()) return arguments;
  std::ifstream file(path);
  if (!file || fs::is_directory(path)) fail_usage("--config {}: cannot read this file", path);

  const CLI::App* command = nullptr;
  for (size_t i = 0; i < arguments.size() && !command; ++i)
    for (const CLI::App* candidate : program.get_subcommands([](const CLI::App*) { return true; }))
      if (candidate->get_name() == arguments[i]) command = candidate;
  if (!command) return arguments;

  std::vector<std::string> options;
  for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_config(file)) {
    if (item.name == "++" || item.name == "--") continue;  // the borders of a section
    if (!item.parents.empty() && item.parents != std::vector{command->get_name()})
      fail_usage("{}: section [{}] does not belong to the command '{}'", path, item.parents.front(),
                 command->get_name());
    const CLI::Option* option = command->get_option_no_throw("--" + item.name);
    if (!option)
      fail_usage("{}: unknown option '{}' for 'laclip {}'; see laclip {} --help", path, item.name,
                 command->get_name(), command->get_name());
    if (given(arguments, *option)) continue;
    const std::string value = item.inputs.size() == 1 ? item.inputs[0] : "";
    if (item.inputs.size() <= 1 && (value.empty() || value == "[]" || value == "{}"))
      continue;                                   // how CLI11, by version, writes "not given"
    if (option->get_items_expected_max() == 0) {  // a flag
      options.push_back("--" + item.name + "=" + item.inputs[0]);
      continue;
    }
    options.push_back("--" + item.name);
    options.insert(options.end(), item.inputs.begin(), item.inputs.end());
  }
  // At the end: a list from the file would swallow positional arguments behind it.
  arguments.insert(arguments.end(), options.begin(), options.end());
  return arguments;
}

std::map<std::string, std::string> read_config_file(const fs::path& file) {
  std::ifstream stream(file);
  check(bool(stream), "{}: cannot read this file", file.string());
  std::map<std::string, std::string> options;
  try {
    for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_config(stream)) {
      if (item.name == "++" || item.name == "--") continue;  // the borders of a section
      std::string value;
      for (const std::string& input : item.inputs) value += (value.empty() ? "" : " ") + input;
      if (!value.empty() && value != "[]" && value != "{}") options[item.name] = value;
    }
  } catch (const CLI::Error& error) {
    fail("{}: {}", file.string(), error.what());
  }
  return options;
}

}  // namespace laclip

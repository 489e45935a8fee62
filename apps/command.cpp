#include "apps/command.h"

#include <cmath>
#include <cstdlib>
#include <new>

#include "base/check.h"
#include "base/json.h"

namespace laclip {

CLI::App* add_command(CLI::App& root, const std::string& name, const std::string& description) {
  CLI::App* command = root.add_subcommand(name, description);
  command->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command->option_defaults()->always_capture_default();
  command
      ->add_option_function<std::string>(
          "--config", [](const std::string&) {}, "options from a TOML file; flags override it")
      ->configurable(false);
  return command;
}

CLI::Option* add_precision_option(CLI::App& command, std::string& precision,
                                  const std::string& help) {
  return command
      .add_option("--precision", precision, help + "; auto: bf16 on a GPU, fp32 on a CPU")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}));
}

void settle(CLI::App& command, const std::string& flag, const std::string& value) {
  CLI::Option* option = command.get_option(flag);
  option->clear();
  option->default_str(value);
}

CLI::Option* add_device_option(CLI::App& command, std::string& device) {
  return command.add_option("--device", device, "where to run")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
}

namespace {

CLI::Validator number(const char* name, const char* what, bool (*holds)(double)) {
  return {[=](const std::string& text) {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            const bool whole = !text.empty() && *end == 0;
            return whole && std::isfinite(value) && holds(value)
                       ? std::string()
                       : fmt::format("'{}' is not {}", text, what);
          },
          name};
}

}  // namespace

const CLI::Validator kPositive =
    number("POSITIVE", "a number above 0", [](double value) { return value > 0; });
const CLI::Validator kNotNegative =
    number("NONNEGATIVE", "a number from 0 on", [](double value) { return value >= 0; });
const CLI::Validator kBelowOne = number("BELOW1", "a number from 0 to below 1",
                                        [](double value) { return value >= 0 && value < 1; });

std::string failure_text(const std::exception& error, const std::string& command) {
  std::string text = error.what();
  if (const auto* file = dynamic_cast<const fs::filesystem_error*>(&error))
    text = fmt::format("{}: {}; check the path and its permissions", file->path1().string(),
                       file->code().message());
  else if (dynamic_cast<const std::bad_alloc*>(&error) ||
           dynamic_cast<const std::length_error*>(&error))
    text = "out of memory; use a smaller batch, model or data set";
  else if (dynamic_cast<const nlohmann::json::exception*>(&error))
    text = fmt::format("a JSON file is not of the form that is needed ({}); see laclip {} --help",
                       error.what(), command);
  return "laclip " + command + ": " + text;
}

}  // namespace laclip

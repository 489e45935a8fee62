#include "apps/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>

#include "apps/config_file.h"
#include "apps/manifest.h"
#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parallel.h"
#include "kernels/core/cpu_level.h"

namespace laclip {

Option Option::required() { return Option(option_->required()); }
Option Option::check(const CLI::Validator& rule) { return Option(option_->check(rule)); }
Option Option::among(std::initializer_list<const char*> values) {
  return check(CLI::IsMember(std::vector<std::string>(values.begin(), values.end())));
}
Option Option::within(int least, int most) { return check(CLI::Range(least, most)); }
Option Option::within(double least, double most) { return check(CLI::Range(least, most)); }
Option Option::auto_or_within(int least, int most) {
  return check(CLI::IsMember({"auto"}) | CLI::Range(least, most));
}
Option Option::expected(int values) { return Option(option_->expected(values)); }
Option Option::excludes(Option other) { return Option(option_->excludes(other.option_)); }
Option Option::group(const std::string& heading) { return Option(option_->group(heading)); }
Option Option::type_name(const std::string& name) { return Option(option_->type_name(name)); }

Option Command::add_option(const std::string& flags, std::string& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, fs::path& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, std::vector<std::string>& value,
                           const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, int& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, int64_t& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, uint64_t& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, float& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, double& value, const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_option(const std::string& flags, std::vector<double>& value,
                           const std::string& help) {
  return Option(app_->add_option(flags, value, help));
}
Option Command::add_flag(const std::string& flags, bool& value, const std::string& help) {
  return Option(app_->add_flag(flags, value, help));
}
Option Command::add_flag(const std::string& flags, std::function<void()> given,
                         const std::string& help) {
  return Option(app_->add_flag(
      flags, [given = std::move(given)](int64_t) { given(); }, help));
}
void Command::callback(std::function<void()> work) { app_->callback(std::move(work)); }

std::string Command::name() const { return app_->get_name(); }
size_t Command::count(const std::string& flag) const { return app_->count(flag); }
void Command::settle(const std::string& flag, const std::string& value) const {
  CLI::Option* option = app_->get_option(flag);
  option->clear();
  option->default_str(value);
}
std::string Command::options_text() const { return app_->config_to_str(true, false); }

Program::Program()
    : app_(std::make_unique<CLI::App>(
          "Rewrites image captions with LLaMA, trains CLIP on originals and rewrites, and "
          "evaluates it, without a deep-learning framework.",
          "laclip")) {
  app_->set_version_flag("--version", version_text);
  app_->require_subcommand(1);
  app_->fallthrough();
  app_->set_help_all_flag("--help-all", "help of all commands");
  app_->add_flag("-q,--quiet", quiet_, "only warnings and errors")->configurable(false);
  app_->add_flag("-v,--verbose", verbose_, "more messages")->configurable(false);
  app_->parse_complete_callback([this] {
    set_log_level(quiet_ ? LogLevel::warning : verbose_ ? LogLevel::debug : LogLevel::info);
  });
}
Program::~Program() = default;

Command Program::add_command(const std::string& name, const std::string& description) {
  CLI::App* command = app_->add_subcommand(name, description);
  command->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command->option_defaults()->always_capture_default();
  command
      ->add_option_function<std::string>(
          "--config", [](const std::string&) {}, "options from a TOML file; flags override it")
      ->configurable(false);
  return Command(command);
}

void Program::parse(const std::vector<std::string>& arguments) {
  auto expanded = expand_config_file(arguments, *app_);
  std::reverse(expanded.begin(), expanded.end());  // CLI11 takes them from the back
  app_->parse(std::move(expanded));
}

int Program::run(const std::vector<std::string>& arguments) {
  const auto command = [&] {
    const auto parsed = app_->get_subcommands();
    return parsed.empty() ? std::string() : parsed.front()->get_name();
  };
  try {
    // A wrong LACLIP_CPU or OMP_NUM_THREADS ends the program before it leaves anything.
    cpu_level();
    thread_count();
    parse(arguments);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_->exit(error);  // --help, --version
    fmt::print(stderr, "laclip: {}\nSee laclip --help, or laclip COMMAND --help.\n", error.what());
    return 2;
  } catch (const UsageError& error) {
    fmt::print(stderr, "{}\n", failure_text(error, command()));
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", failure_text(error, command()));
    return 1;
  }
}

Option add_precision_option(Command& command, std::string& precision, const std::string& help) {
  return command.add_option("--precision", precision, help + "; auto: bf16 on a GPU, fp32 on a CPU")
      .among({"auto", "fp32", "bf16"});
}

Option add_device_option(Command& command, std::string& device) {
  return command.add_option("--device", device, "where to run").among({"auto", "cpu", "cuda"});
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
const CLI::Validator kExistingFile = CLI::ExistingFile;

std::string failure_text(const std::exception& error, const std::string& command) {
  std::string text = error.what();
  if (const auto* file = dynamic_cast<const fs::filesystem_error*>(&error))
    text = fmt::format("{}: {}; check the path and its permissions", file->path1().string(),
                       file->code().message());
  else if (dynamic_cast<const std::bad_alloc*>(&error) ||
           dynamic_cast<const std::length_error*>(&error))
    text = "out of memory; use a smaller batch, model or data set";
  else if (dynamic_cast<const JsonError*>(&error))
    text = fmt::format("a JSON file is not of the form that is needed ({}); see laclip {} --help",
                       error.what(), command);
  return (command.empty() ? "laclip: " : "laclip " + command + ": ") + text;
}

}  // namespace laclip

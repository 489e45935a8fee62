// The commands of the program. Each lies in a folder of its own and registers itself with its
// options; the callback does the work and throws Error (exit code 1) or UsageError (2).
//
// CLI11 stays behind these classes: its headers cost each file that includes them ten seconds.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace laclip {

// One option of a command; what is said about it can be chained.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option required();
  Option check(const CLI::Validator& rule);
  Option among(std::initializer_list<const char*> values);
  Option within(int least, int most);
  Option within(double least, double most);
  Option auto_or_within(int least, int most);
  Option expected(int values);
  Option excludes(Option other);
  Option group(const std::string& heading);   // in the help
  Option type_name(const std::string& name);  // in the help

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // What stands in `value` is the default, and shown in the help.
  Option add_option(const std::string& flags, std::string& value, const std::string& help);
  Option add_option(const std::string& flags, fs::path& value, const std::string& help);
  Option add_option(const std::string& flags, std::vector<std::string>& value,
                    const std::string& help);
  Option add_option(const std::string& flags, int& value, const std::string& help);
  Option add_option(const std::string& flags, int64_t& value, const std::string& help);
  Option add_option(const std::string& flags, uint64_t& value, const std::string& help);
  Option add_option(const std::string& flags, float& value, const std::string& help);
  Option add_option(const std::string& flags, double& value, const std::string& help);
  Option add_option(const std::string& flags, std::vector<double>& value, const std::string& help);
  Option add_flag(const std::string& flags, bool& value, const std::string& help);
  Option add_flag(const std::string& flags, std::function<void()> given, const std::string& help);
  void callback(std::function<void()> work);

  std::string name() const;
  size_t count(const std::string& flag) const;  // how often it was given
  // Notes what the command has made of "auto" or of an option that was not given, for options_text().
  void settle(const std::string& flag, const std::string& value) const;
  std::string options_text() const;  // all options with their values, as TOML

 private:
  CLI::App* app_;
};

class Program {
 public:
  Program();
  ~Program();

  // A command with what all of them share: defaults in the help, --config FILE (TOML; flags given
  // on the command line override it).
  Command add_command(const std::string& name, const std::string& description);
  // Runs the command that is asked for. What goes wrong is printed; the exit code.
  int run(const std::vector<std::string>& arguments);
  void parse(const std::vector<std::string>& arguments);  // the same with exceptions

 private:
  std::unique_ptr<CLI::App> app_;
  bool quiet_ = false, verbose_ = false;
};

void add_rewrite_command(Program& program);
void add_train_command(Program& program);
void add_pretrain_command(Program& program);
void add_evaluate_command(Program& program);
void add_generate_command(Program& program);
void add_tokenize_command(Program& program);
void add_inspect_command(Program& program);
void add_bench_command(Program& program);
void add_plan_command(Program& program);
void add_report_command(Program& program);
void add_world_command(Program& program);
void add_demo_command(Program& program);

// --precision auto|fp32|bf16; settled_precision() tells what auto is. `help` is in front of that.
Option add_precision_option(Command& command, std::string& precision,
                            const std::string& help = "fp32 or bf16");

// --device auto|cpu|cuda; parse_device() tells whether it is there.
Option add_device_option(Command& command, std::string& device);

// Values of options: a number above 0; from 0 on; from 0 to below 1 (CLI11's own say instead what the
// largest double is); the path of a file.
extern const CLI::Validator kPositive, kNotNegative, kBelowOne, kExistingFile;

// What went wrong in `command`, as one line with a cure, also for what libraries throw.
std::string failure_text(const std::exception& error, const std::string& command);

}  // namespace laclip

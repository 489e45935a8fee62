// The commands of the program. Each lies in a folder of its own and registers itself with its
// options; the callback does the work and throws Error (exit code 1) or UsageError (2).
#pragma once

#include <CLI/CLI.hpp>

namespace laclip {

void add_rewrite_command(CLI::App& root);
void add_train_command(CLI::App& root);
void add_pretrain_command(CLI::App& root);
void add_evaluate_command(CLI::App& root);
void add_generate_command(CLI::App& root);
void add_tokenize_command(CLI::App& root);
void add_inspect_command(CLI::App& root);
void add_bench_command(CLI::App& root);
void add_plan_command(CLI::App& root);
void add_report_command(CLI::App& root);
void add_world_command(CLI::App& root);
void add_demo_command(CLI::App& root);

// A subcommand with what all of them share: defaults in the help, --config FILE (TOML; flags given
// on the command line override it).
CLI::App* add_command(CLI::App& root, const std::string& name, const std::string& description);

// --precision auto|fp32|bf16; settled_precision() tells what auto is. `help` is in front of that.
CLI::Option* add_precision_option(CLI::App& command, std::string& precision,
                                  const std::string& help = "fp32 or bf16");

// Notes what the command has made of "auto" or of an option that was not given, for config.toml.
void settle(CLI::App& command, const std::string& flag, const std::string& value);

// --device auto|cpu|cuda; parse_device() tells whether it is there.
CLI::Option* add_device_option(CLI::App& command, std::string& device);

// Values of options: a number above 0; from 0 on; from 0 to below 1. (CLI11's own say instead what the
// largest double is.)
extern const CLI::Validator kPositive, kNotNegative, kBelowOne;

// What went wrong in `command`, as one line with a cure, also for what libraries throw.
std::string failure_text(const std::exception& error, const std::string& command);

}  // namespace laclip

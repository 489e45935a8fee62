// laclip: rewrites captions with LLaMA, trains CLIP on originals and rewrites, evaluates it.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/command.h"
#include "apps/config_file.h"
#include "apps/manifest.h"
#include "base/check.h"
#include "base/log.h"

int main(int argc, char** argv) {
  using namespace laclip;
  CLI::App program(
      "Rewrites image captions with LLaMA, trains CLIP on originals and rewrites, and "
      "evaluates it, without a deep-learning framework.",
      "laclip");
  program.set_version_flag("--version", version_text());
  program.require_subcommand(1);
  program.fallthrough();
  program.set_help_all_flag("--help-all", "help of all commands");
  bool quiet = false, verbose = false;
  program.add_flag("-q,--quiet", quiet, "only warnings and errors")->configurable(false);
  program.add_flag("-v,--verbose", verbose, "more messages")->configurable(false);
  program.parse_complete_callback([&] {
    set_log_level(quiet ? LogLevel::warning : verbose ? LogLevel::debug : LogLevel::info);
  });

  add_rewrite_command(program);
  add_train_command(program);
  add_pretrain_command(program);
  add_evaluate_command(program);
  add_generate_command(program);
  add_tokenize_command(program);
  add_inspect_command(program);
  add_bench_command(program);
  add_report_command(program);
  add_world_command(program);

  const auto command = [&] {
    const auto parsed = program.get_subcommands();
    return parsed.empty() ? std::string() : parsed.front()->get_name();
  };
  try {
    auto arguments = expand_config_file({argv + 1, argv + argc}, program);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    program.parse(std::move(arguments));
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
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

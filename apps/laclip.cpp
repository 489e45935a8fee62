// laclip: rewrites captions with LLaMA, trains CLIP on originals and rewrites, evaluates it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "apps/command.h"
#include "apps/config_file.h"
#include "apps/manifest.h"
#include "base/check.h"
#include "base/log.h"

namespace {

// Threads that wait for each other shall sleep and not spin: where another program shares the cores,
// spinning made a training step up to seven times as slow, and where none does it gains nothing that
// shows. libgomp reads its environment when it is loaded, so the program starts itself again, once.
void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", argv);  // returns only if that cannot be done; then threads spin
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
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

#ifndef LACLIP_MINIMAL
  add_rewrite_command(program);
  add_train_command(program);
  add_pretrain_command(program);
  add_evaluate_command(program);
  add_generate_command(program);
  add_tokenize_command(program);
  add_inspect_command(program);
  add_report_command(program);
  add_world_command(program);
  add_demo_command(program);
#endif
  add_bench_command(program);
  add_plan_command(program);

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

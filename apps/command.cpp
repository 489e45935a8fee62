#include "apps/command.h"

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

}  // namespace laclip

#include "apps/demo/steps.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/check.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/timer.h"

namespace laclip {
namespace {

std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || strchr("-_./=+:,%", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

struct Outcome {
  int status = 0;  // as of wait()
  int64_t peak_kib = 0;
};

// In the child: becomes the command. It dies with the demo, so that nobody works on where a second
// call begins.
[[noreturn]] void become(const std::vector<std::string>& arguments, bool shows_output, pid_t demo) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != demo) _exit(1);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, SIG_DFL);
  if (!shows_output) dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
  std::vector<char*> words = {const_cast<char*>("laclip")};
  if (log_level() < LogLevel::info) words.push_back(const_cast<char*>("-q"));
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv("/proc/self/exe", words.data());
  _exit(127);
}

Outcome run_process(const std::vector<std::string>& arguments, bool shows_output) {
  std::fflush(nullptr);
  std::signal(SIGCHLD, SIG_DFL);  // where a launcher ignores it, nothing can be waited for
  const pid_t demo = getpid(), child = fork();
  check(child >= 0, "a process cannot be started: {}", std::strerror(errno));
  if (child == 0) become(arguments, shows_output, demo);
  Outcome outcome;
  struct rusage usage {};
  pid_t ended = 0;
  for (int waits = 0; ended == 0; ended = wait4(child, &outcome.status, WNOHANG, &usage)) {
    // The terminal tells it of Ctrl-C, but nobody of other signals; again, if it was not up yet.
    if (interrupted() && waits++ % 50 == 0) kill(child, SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  check(ended == child, "a process cannot be waited for: {}", std::strerror(errno));
  outcome.peak_kib = usage.ru_maxrss;
  return outcome;
}

// The command as a line for a shell.
std::string command_line(const std::string& program, const std::vector<std::string>& arguments) {
  std::string line = quoted(program);
  for (const std::string& word : arguments) line += " " + quoted(word);
  return line;
}

// This program as it can be called from the current folder.
std::string own_program() {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const fs::path near = program.lexically_relative(fs::current_path());
  if (near.empty() || *near.begin() == "..") return program.string();
  return near.has_parent_path() ? near.string() : "./" + near.string();
}

Json read_journal(const fs::path& file) {
  if (!fs::exists(file)) return Json::array();
  Json journal = read_json(file);
  check(journal.is_array(), "{}: no list of steps; remove the file to run all steps again",
        file.string());
  return journal;
}

bool is_done(const Json& journal, const std::string& command) {
  return std::any_of(journal.begin(), journal.end(), [&](const Json& step) {
    return step.is_object() && step.value("command", "") == command;
  });
}

}  // namespace

void run_steps(const std::vector<DemoStep>& steps, const fs::path& journal_file) {
  const std::string program = own_program();
  Json journal = read_journal(journal_file);
  const CatchInterrupts scope;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& [stage, arguments, shows_output] = steps[i];
    const std::string command = command_line("laclip", arguments);
    if (is_done(journal, command)) {
      log_info("[{}/{}] {}: done before", i + 1, steps.size(), stage);
      continue;
    }
    log_info("\n[{}/{}] {}\n{}", i + 1, steps.size(), stage, command_line(program, arguments));
    const Timer timer;
    const auto [status, peak_kib] = run_process(arguments, shows_output);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      if (interrupted()) fail("stopped during '{}'; the same command goes on from there", stage);
      const std::string how = WIFSIGNALED(status)
                                  ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                  : fmt::format("failed, exit code {}", WEXITSTATUS(status));
      fail("'{}' {}, see above; once that is cured, the same command goes on from there", stage,
           how);
    }
    journal.push_back({{"stage", stage},
                       {"seconds", timer.seconds()},
                       {"command", command},
                       {"peak_mib", peak_kib / 1024}});
    write_atomically(journal_file, journal.dump(1) + "\n");
    if (interrupted()) fail("stopped after '{}'; the same command goes on from there", stage);
  }
}

}  // namespace laclip

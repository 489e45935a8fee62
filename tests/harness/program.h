// Runs the program itself, as a user does.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "tests/harness/reference_data.h"

namespace laclip::test {

struct Outcome {
  int code = -1;  // exit code; 128 + signal if one ended it
  std::string out, err;
};

// A run of `laclip ARGUMENTS` in the background. Files longer than `file_limit` bytes cannot be
// written, as on a full disk (0: no limit).
class Program {
 public:
  Program(const std::vector<std::string>& arguments, const std::string& input = "",
          size_t file_limit = 0) {
    write_atomically(folder_ / "in", input);
    std::vector<char*> argv{const_cast<char*>(LACLIP_BINARY)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string in = (folder_ / "in").string(), out = (folder_ / "out").string(),
                      err = (folder_ / "err").string();
    process_ = fork();
    if (process_ == 0) {
      dup2(open(in.c_str(), O_RDONLY), 0);
      dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      if (file_limit > 0) {
        const rlimit limit{file_limit, file_limit};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
      }
      execv(LACLIP_BINARY, argv.data());
      _exit(127);
    }
  }
  ~Program() {
    if (process_ > 0) finish(SIGKILL);
  }
  // Sends the signal as soon as `when` holds (or the program has ended).
  Outcome stop(int signal, const std::function<bool()>& when) {
    while (!when() && running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return finish(signal);
  }
  Outcome wait() { return finish(0); }

 private:
  bool running() {
    siginfo_t info{};
    return waitid(P_PID, id_t(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }
  Outcome finish(int signal) {
    if (signal) kill(process_, signal);
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_text(folder_ / "out"), read_text(folder_ / "err")};
  }
  TemporaryFolder folder_;
  pid_t process_ = -1;
};

inline Outcome run(const std::vector<std::string>& arguments, const std::string& input = "") {
  return Program(arguments, input).wait();
}

}  // namespace laclip::test

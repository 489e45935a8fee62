#include "base/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace laclip {
namespace {
volatile std::sig_atomic_t signals = 0;

void on_signal(int signal) {
  if (signals > 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  signals = 1;
}
}  // namespace

void catch_interrupts() {
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, on_signal);
}

bool interrupted() { return signals > 0; }

}  // namespace laclip

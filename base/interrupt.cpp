#include "base/interrupt.h"

namespace laclip {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1};
volatile std::sig_atomic_t asked = 0, control_c = 0;

void on_signal(int signal) {
  asked = 1;
  if (signal != SIGINT) return;
  if (control_c) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);  // delivered when this handler returns
  }
  control_c = 1;
}

}  // namespace

CatchInterrupts::CatchInterrupts() {
  asked = 0;
  control_c = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &action, &before_[i]);
}

CatchInterrupts::~CatchInterrupts() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

bool interrupted() { return asked != 0; }

}  // namespace laclip

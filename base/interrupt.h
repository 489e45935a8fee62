// Ctrl-C, SIGTERM and SIGUSR1 (a batch system's warning) ask long work to stop at the next safe
// point and to leave a resumable state:
//
//   const CatchInterrupts scope;
//   while (more && !interrupted()) …
//
// Outside of such a block signals end the program at once, as they do by default; inside of it a
// second Ctrl-C does. A second signal of a batch system (SIGUSR1, then SIGTERM) does not: it comes
// while the state is being saved.
#pragma once

#include <csignal>

namespace laclip {

// Only one at a time.
class CatchInterrupts {
 public:
  CatchInterrupts();
  ~CatchInterrupts();  // signals mean again what they meant before
  CatchInterrupts(const CatchInterrupts&) = delete;
  CatchInterrupts& operator=(const CatchInterrupts&) = delete;

 private:
  struct sigaction before_[3];
};

bool interrupted();  // asked for by loops between two steps

}  // namespace laclip

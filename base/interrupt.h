// Ctrl-C, SIGTERM and SIGUSR1 (a batch system's warning) ask long work to stop at the next safe
// point and to leave a resumable state. A second Ctrl-C ends the program at once.
#pragma once

namespace laclip {

void catch_interrupts();  // once, in main
bool interrupted();       // asked for by loops between two steps

}  // namespace laclip

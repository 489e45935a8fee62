// Runs commands of this program one after another, each in a process of its own, and keeps a journal
// of those that are done.
#pragma once

#include <vector>

#include "apps/demo/plan.h"

namespace laclip {

// Prints and runs each step. `journal` is a JSON list of {"stage", "seconds", "command",
// "peak_mib"}; a step whose very command is in it is passed over, so the same call goes on after a
// kill at any moment. The seconds are those of the call that finished the step.
//
// Error if a step fails, or after Ctrl-C, which the step has got too, to stop in order.
void run_steps(const std::vector<DemoStep>& steps, const fs::path& journal);

}  // namespace laclip

// laclip: rewrites captions with LLaMA, trains CLIP on originals and rewrites, evaluates it.
#include <unistd.h>

#include <cstdlib>

#include "apps/command.h"

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
  Program program;
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
  return program.run({argv + 1, argv + argc});
}

// laclip: rewrites captions with LLaMA, trains CLIP on originals and rewrites, evaluates it.
#include "apps/command.h"

int main(int argc, char** argv) {
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

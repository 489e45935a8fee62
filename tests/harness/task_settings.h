// How loops are cut into tasks and how many threads take them, while this lives (base/parallel.h).
#pragma once

#include "base/parallel.h"

namespace laclip::test {

class TaskSettings {
 public:
  TaskSettings(int threads, int64_t elements_per_task)
      : threads_(thread_count()), elements_(detail::elements_per_task()) {
    set_thread_count(threads);
    detail::set_elements_per_task(elements_per_task);
  }
  ~TaskSettings() {
    set_thread_count(threads_);
    detail::set_elements_per_task(elements_);
  }
  TaskSettings(const TaskSettings&) = delete;
  TaskSettings& operator=(const TaskSettings&) = delete;

 private:
  int threads_;
  int64_t elements_;
};

}  // namespace laclip::test

// Loops over the cores of the machine.
//
//   parallel_for(heads, [&](int64_t h) { … });          a task an index
//   parallel_ranges(count, 4096, [&](int64_t begin, int64_t end) { … });
//   parallel_rows(N, C, [&](int64_t n) { … });           rows of C elements; small matrices stay on the caller
//   parallel_elements(count, [=](int64_t i) { … });      vectorised
//
// Tasks start in index order and may finish in any order. The caller works too, and returns when all have finished.
// If tasks throw, all others still run, and the caller gets one of the exceptions. A loop inside a task, or beside the
// loop of another thread, runs on its caller alone; so do the loops inside it. A loop of one task is not a loop: loops
// inside it run on all threads.
//
// Idle threads spin for some microseconds, because in decoding the next loop follows at once, and then sleep: longer
// spinning would take CPU time from other programs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace laclip {

// How many threads loops use: OMP_NUM_THREADS, or as many as the process may run on and its cgroup's quota pays for.
// The first call throws UsageError if OMP_NUM_THREADS is no number of threads.
int thread_count();
void set_thread_count(int threads);
// Of the thread that runs a task: 0 (the caller) … thread_count() - 1.
int thread_index();

namespace detail {
using Task = void (*)(const void* body, int64_t index);
void run_tasks(int64_t count, Task task, const void* body);

// The grain of parallel_rows and parallel_elements: µs of work, several times what a task costs. Tests take another.
inline constexpr int64_t kElementsPerTask = 16384;
int64_t elements_per_task();
void set_elements_per_task(int64_t elements);

int threads_of_variable(
    std::string_view value);  // of OMP_NUM_THREADS: "4", or "4,2" for nested loops
int threads_of_quota(const std::string& cpu_max);  // of a cgroup's cpu.max; 0 if it sets no limit
}  // namespace detail

template <class Body>
void parallel_for(int64_t count, const Body& body) {
  if (count == 1) return body(int64_t{0});
  detail::run_tasks(
      count, [](const void* b, int64_t index) { (*static_cast<const Body*>(b))(index); }, &body);
}

// Ranges of `range` indices, the last one shorter; none depends on the number of threads.
template <class Body>
void parallel_ranges(int64_t count, int64_t range, const Body& body) {
  parallel_for((count + range - 1) / range,
               [&](int64_t index) { body(index * range, std::min(count, (index + 1) * range)); });
}

template <class Body>
void parallel_rows(int64_t rows, int64_t width, const Body& body) {
  parallel_ranges(rows,
                  std::max<int64_t>(1, detail::elements_per_task() / std::max<int64_t>(width, 1)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) body(row);
                  });
}

template <class Body>
void parallel_elements(int64_t count, const Body& body) {
  parallel_ranges(count, detail::elements_per_task(), [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace laclip

// Loops over the cores of the machine.
//
//   parallel_for(heads, [&](int64_t h) { … });          a task an index
//   parallel_ranges(count, 4096, [&](int64_t begin, int64_t end) { … });
//   parallel_rows(N, C, [&](int64_t n) { … });           rows of C elements; small matrices stay on the caller
//   parallel_elements(count, [=](int64_t i) { … });      vectorised
//
// Tasks start in the order of their index and end in any; the caller takes part and returns when all have ended. A
// loop inside a loop, or beside that of another thread, runs on its caller alone. If tasks throw, the caller gets one
// of their exceptions, after the others have ended.
//
// Threads that wait spin for some microseconds, because in decoding the next loop comes at once, then they sleep:
// where programs share the cores, long spinning takes the time of those that work.
#pragma once

#include <algorithm>
#include <cstdint>

namespace laclip {

// How many threads loops use: OMP_NUM_THREADS, or as many as the process may run on.
int thread_count();
void set_thread_count(int threads);
// Of the thread that runs a task: 0 (the caller) … thread_count() - 1.
int thread_index();

namespace detail {
using Task = void (*)(const void* body, int64_t index);
void run_tasks(int64_t count, Task task, const void* body);
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

inline constexpr int64_t kElementsOfTask = 16384;  // µs of work, several times what a task costs

template <class Body>
void parallel_rows(int64_t rows, int64_t width, const Body& body) {
  parallel_ranges(rows, std::max<int64_t>(1, kElementsOfTask / std::max<int64_t>(width, 1)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) body(row);
                  });
}

template <class Body>
void parallel_elements(int64_t count, const Body& body) {
  parallel_ranges(count, kElementsOfTask, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace laclip

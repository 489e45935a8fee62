#include "base/parallel.h"

#include <sched.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"

namespace laclip {
namespace {

thread_local int this_thread = 0;
thread_local bool in_loop = false;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until ready() or the time is over.
template <class Ready>
bool spin(Ready&& ready) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLongest = std::chrono::microseconds(40);
  const auto end = Clock::now() + kLongest;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return ready();
}

// The threads that run loops, with the caller of run().
//
// A loop is open while its caller takes tasks. workers_inside_ counts the workers that look at it, plus kClosed while
// it is closed, so that a worker learns by the very addition that announces it whether it may. run() opens the loop
// with fetch_sub, which a worker's fetch_add reads: so the worker sees the loop's fields. The worker leaves with
// fetch_sub, which run() reads when it waits for kClosed alone: so the caller sees what the tasks wrote, and no worker
// still reads the fields when the next loop overwrites them.
class ThreadGroup {
 public:
  explicit ThreadGroup(int threads) {
    try {
      for (int i = 1; i < threads; ++i)
        workers_.emplace_back([this, i] {
          this_thread = i;
          in_loop = true;  // loops inside a task run on its thread
          work();
        });
    } catch (const std::exception& error) {
      const int started = this->threads();
      stop();
      fail("only {} of {} threads can start ({}); lower OMP_NUM_THREADS", started, threads,
           error.what());
    }
  }
  ~ThreadGroup() { stop(); }
  int threads() const { return int(workers_.size()) + 1; }

  void run(int64_t count, detail::Task task, const void* body) {
    count_ = count;
    task_ = task;
    body_ = body;
    next_.store(0, std::memory_order_relaxed);
    workers_inside_.fetch_sub(kClosed);
    loops_.fetch_add(1);
    loops_.notify_all();
    take_tasks();
    workers_inside_.fetch_add(kClosed);
    while (!spin([this] { return workers_inside_.load() == kClosed; })) std::this_thread::yield();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void work() {
    for (uint32_t seen = 0;;) {
      if (!spin([&] { return loops_.load() != seen; })) loops_.wait(seen);
      seen = loops_.load();
      if (leaving_) return;
      // A worker that arrives after the loop has closed leaves without reading it.
      if (workers_inside_.fetch_add(1) < kClosed) take_tasks();
      workers_inside_.fetch_sub(1);
    }
  }

  void take_tasks() {
    for (int64_t index; (index = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      try {
        task_(body_, index);
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  void stop() {
    leaving_ = true;
    loops_.fetch_add(1);
    loops_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  // The current loop. Written only while it is closed and no worker is inside.
  int64_t count_ = 0;
  detail::Task task_ = nullptr;
  const void* body_ = nullptr;

  static constexpr int32_t kClosed = 1 << 30;
  alignas(64) std::atomic<int64_t> next_ = 0;
  alignas(64) std::atomic<int32_t> workers_inside_ = kClosed;
  alignas(64) std::atomic<uint32_t> loops_ = 0;  // begun so far
  std::atomic<bool> leaving_ = false;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

int threads_of_machine() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1, int(std::thread::hardware_concurrency()));
}

int default_threads() {
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  if (wanted && *wanted) return detail::threads_of_variable(wanted);
  std::string cpu_max;
  std::getline(std::ifstream("/sys/fs/cgroup/cpu.max"), cpu_max);
  const int machine = threads_of_machine(), quota = detail::threads_of_quota(cpu_max);
  return quota > 0 ? std::min(machine, quota) : machine;
}

std::atomic<int> wanted_threads = 0;
std::atomic<int64_t> task_elements = detail::kElementsPerTask;
std::mutex group_mutex;  // held during a loop

// On the caller alone.
void run_serially(int64_t count, detail::Task task, const void* body) {
  std::exception_ptr error;
  for (int64_t index = 0; index < count; ++index) try {
      task(body, index);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  if (error) std::rethrow_exception(error);
}

}  // namespace

int thread_count() {
  int threads = wanted_threads.load();
  if (threads == 0) wanted_threads = threads = default_threads();
  return threads;
}

void set_thread_count(int threads) { wanted_threads = std::max(1, threads); }

int thread_index() { return this_thread; }

int64_t detail::elements_per_task() { return task_elements.load(std::memory_order_relaxed); }
void detail::set_elements_per_task(int64_t elements) { task_elements = elements; }

int detail::threads_of_variable(std::string_view value) {
  int threads = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, threads);
  if (error != std::errc() || threads < 1 || (rest != end && *rest != ','))
    fail_usage("OMP_NUM_THREADS={}: a number of threads from 1 on is needed; unset it or name one",
               value);
  return threads;
}

int detail::threads_of_quota(const std::string& cpu_max) {
  // "150000 100000": µs of CPU time in a period of so many; or "max 100000".
  std::istringstream fields(cpu_max);
  int64_t quota = 0, period = 0;
  if (!(fields >> quota >> period) || quota < 1 || period < 1) return 0;
  return int(std::min<int64_t>((quota + period - 1) / period, INT_MAX));
}

void detail::run_tasks(int64_t count, Task task, const void* body) {
  const int threads = thread_count();
  std::unique_lock lock(group_mutex, std::defer_lock);
  const bool alone = count <= 1 || threads == 1 || in_loop || !lock.try_lock();
  struct Leave {
    bool before = std::exchange(in_loop, true);
    ~Leave() { in_loop = before; }
  } leave;
  if (alone) return run_serially(count, task, body);
  // Not destroyed at exit: threads may still be inside.
  static auto& group = *new std::unique_ptr<ThreadGroup>;
  if (!group || group->threads() != threads) {
    group.reset();
    group = std::make_unique<ThreadGroup>(threads);
  }
  group->run(count, task, body);
}

}  // namespace laclip

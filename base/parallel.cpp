#include "base/parallel.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

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

class Team {
 public:
  explicit Team(int threads) {
    for (int i = 1; i < threads; ++i)
      workers_.emplace_back([this, i] {
        this_thread = i;
        in_loop = true;  // loops inside a task run on its thread
        work();
      });
  }
  ~Team() {
    leaving_ = true;
    loops_.fetch_add(1);
    loops_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  int threads() const { return int(workers_.size()) + 1; }

  void run(int64_t count, detail::Task task, const void* body) {
    count_ = count;
    task_ = task;
    body_ = body;
    next_.store(0, std::memory_order_relaxed);
    visitors_.fetch_sub(kClosed);  // workers may come in
    loops_.fetch_add(1);
    loops_.notify_all();
    take_tasks();
    visitors_.fetch_add(kClosed);
    while (!spin([this] { return visitors_.load() == kClosed; })) std::this_thread::yield();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void work() {
    for (uint32_t seen = 0;;) {
      if (!spin([&] { return loops_.load() != seen; })) loops_.wait(seen);
      seen = loops_.load();
      if (leaving_) return;
      // One who comes after the loop is closed goes without a look at it.
      if (visitors_.fetch_add(1) < kClosed) take_tasks();
      visitors_.fetch_sub(1);
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

  // The loop under way. Written while it is closed and nobody is inside.
  int64_t count_ = 0;
  detail::Task task_ = nullptr;
  const void* body_ = nullptr;

  static constexpr int32_t kClosed = 1 << 30;
  alignas(64) std::atomic<int64_t> next_ = 0;
  alignas(64) std::atomic<int32_t> visitors_ = kClosed;  // workers inside, + kClosed
  alignas(64) std::atomic<uint32_t> loops_ = 0;          // begun so far
  std::atomic<bool> leaving_ = false;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

int default_threads() {
  if (const char* wanted = std::getenv("OMP_NUM_THREADS"))
    if (const int threads = std::atoi(wanted); threads > 0) return threads;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1, int(std::thread::hardware_concurrency()));
}

std::atomic<int> wanted_threads = 0;
std::mutex team_mutex;  // held during a loop

}  // namespace

int thread_count() {
  int threads = wanted_threads.load();
  if (threads == 0) wanted_threads = threads = default_threads();
  return threads;
}

void set_thread_count(int threads) { wanted_threads = std::max(1, threads); }

int thread_index() { return this_thread; }

void detail::run_tasks(int64_t count, Task task, const void* body) {
  const int threads = thread_count();
  std::unique_lock lock(team_mutex, std::defer_lock);
  if (count <= 1 || threads == 1 || in_loop || !lock.try_lock()) {
    for (int64_t index = 0; index < count; ++index) task(body, index);
    return;
  }
  static Team* team = nullptr;  // never destroyed at exit: threads may still be inside
  if (!team || team->threads() != threads) {
    delete team;
    team = new Team(threads);
  }
  in_loop = true;
  struct Leave {
    ~Leave() { in_loop = false; }
  } leave;
  team->run(count, task, body);
}

}  // namespace laclip

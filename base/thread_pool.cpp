#include "base/thread_pool.h"

#include <algorithm>

namespace laclip {

ThreadPool::ThreadPool(int threads) {
  for (int i = 0; i < std::max(1, threads); ++i) threads_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  available_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  available_.notify_one();
}

void ThreadPool::cancel() {
  std::deque<std::function<void()>> forgotten;  // what they hold is freed outside of the lock
  std::lock_guard lock(mutex_);
  forgotten.swap(jobs_);
}

void ThreadPool::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    available_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
  }
}

}  // namespace laclip

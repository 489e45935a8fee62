// Threads that run queued jobs: image decoding, tokenizing. (Ops use parallel.h instead.)
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace laclip {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();  // finishes the queued jobs
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void submit(std::function<void()> job);  // a job must not throw
  void cancel();                           // forgets the queued jobs; those under way go on
  int threads() const { return int(threads_.size()); }

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable available_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace laclip

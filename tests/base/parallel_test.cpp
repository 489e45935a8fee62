#include "base/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/check.h"
#include "tests/harness/error_of.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

// Leaves the number of threads as it was.
class Parallel : public ::testing::Test {
 protected:
  ~Parallel() override { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

TEST_F(Parallel, EveryIndexRunsOnce) {
  for (int threads : {1, 2, 5})
    for (int64_t count : {0, 1, 2, 3, 1000}) {
      set_thread_count(threads);
      std::vector<std::atomic<int>> runs(size_t(count) + 1);
      std::atomic<int> strangers = 0;
      parallel_for(count, [&](int64_t i) {
        ++runs[size_t(i)];
        if (thread_index() < 0 || thread_index() >= threads) ++strangers;
      });
      EXPECT_THAT(std::vector<int>(runs.begin(), runs.end() - 1), Each(1))
          << threads << ' ' << count;
      EXPECT_EQ(runs.back(), 0);
      EXPECT_EQ(strangers, 0);
    }
}

// As many tasks as threads, each of which waits for the others: the threads that take part. Gives up after a minute.
std::vector<int> threads_that_meet() {
  const int threads = thread_count();
  std::mutex mutex;
  std::condition_variable arrival;
  std::vector<int> indices;
  parallel_for(threads, [&](int64_t) {
    std::unique_lock lock(mutex);
    indices.push_back(thread_index());
    arrival.notify_all();
    arrival.wait_for(lock, std::chrono::minutes(1), [&] { return int(indices.size()) == threads; });
  });
  std::sort(indices.begin(), indices.end());
  return indices;
}

TEST_F(Parallel, EveryThreadTakesATask) {
  const std::vector<int> all{0, 1, 2, 3};
  set_thread_count(4);
  EXPECT_EQ(threads_that_meet(), all);
  parallel_for(8, [](int64_t) { parallel_for(8, [](int64_t) {}); });
  EXPECT_EQ(threads_that_meet(), all) << "after a loop inside a loop";
  error_of([] { parallel_for(8, [](int64_t) { fail("error"); }); });
  EXPECT_EQ(threads_that_meet(), all) << "after an exception";
  std::vector<int> inside;
  parallel_for(1, [&](int64_t) { inside = threads_that_meet(); });
  EXPECT_EQ(inside, all) << "inside a loop of one task";
}

TEST_F(Parallel, RangesCoverAllAndDoNotDependOnThreads) {
  for (int threads : {1, 3}) {
    set_thread_count(threads);
    std::array<std::atomic<int64_t>, 4> ends{};
    parallel_ranges(10, 3, [&](int64_t begin, int64_t end) { ends[size_t(begin / 3)] = end; });
    EXPECT_THAT((std::vector<int64_t>(ends.begin(), ends.end())),
                (std::vector<int64_t>{3, 6, 9, 10}));
  }
}

// An exception ends its own task, so the rows that run tell how many share one.
TEST_F(Parallel, RowsAndElementsTakeTheGrain) {
  for (int threads : {1, 3})
    for (int64_t grain : {int64_t{1}, int64_t{16}, detail::kElementsPerTask}) {
      set_thread_count(threads);
      detail::set_elements_per_task(grain);
      std::atomic<int64_t> rows = 0;
      error_of([&] {
        parallel_rows(40, 8, [&](int64_t n) {
          ++rows;
          if (n == 0) fail("row 0");
        });
      });
      EXPECT_EQ(rows, grain == 1 ? 40 : grain == 16 ? 39 : 1);
      std::vector<float> elements(100, 0.0f);
      parallel_elements(100, [at = elements.data()](int64_t i) { at[i] += 1; });
      EXPECT_THAT(elements, Each(1.0f));
    }
  detail::set_elements_per_task(detail::kElementsPerTask);
}

TEST_F(Parallel, OneOfTheExceptionsArrivesAndTheOtherTasksRun) {
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    std::atomic<int> runs = 0;
    const std::string error = error_of([&] {
      parallel_for(100, [&](int64_t i) {
        ++runs;
        if (i % 10 == 3) fail("task {}", i);
      });
    });
    EXPECT_THAT(error, HasSubstr("3")) << threads;
    EXPECT_EQ(runs, 100) << threads;
    parallel_for(100, [&](int64_t) { ++runs; });  // no error is left
    EXPECT_EQ(runs, 200) << threads;
  }
}

TEST_F(Parallel, ALoopInsideATaskRunsOnItsThread) {
  set_thread_count(4);
  std::atomic<int> elsewhere = 0, runs = 0;
  parallel_for(20, [&](int64_t) {
    const auto here = std::this_thread::get_id();
    parallel_for(20, [&](int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      ++runs;
      elsewhere += std::this_thread::get_id() != here;
    });
  });
  EXPECT_EQ(runs, 400);
  EXPECT_EQ(elsewhere, 0);
}

// The first caller's loop lasts until the second's is done, so that loop finds the threads taken; and what it runs
// inside must not take them after the first has let go of them.
TEST_F(Parallel, OfTwoCallersOneIsAlone) {
  set_thread_count(3);
  std::latch taken(1), begun(1), released(1);
  std::thread first([&] {
    parallel_for(2, [&](int64_t i) {
      if (i > 0) return;
      taken.count_down();
      begun.wait();
    });
    released.count_down();
  });
  taken.wait();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(2, [&](int64_t i) {
    if (i == 0) begun.count_down();
    released.wait();
    parallel_for(50, [&](int64_t) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(200));  // so that others could take tasks
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
  });
  first.join();
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
}

TEST_F(Parallel, TheNumberOfThreadsChangesBetweenLoops) {
  for (int threads : {2, 7, 1, 3, 2}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    std::atomic<int64_t> sum = 0;
    std::atomic<int> largest = 0;
    for (int loop = 0; loop < 20; ++loop)
      parallel_for(64, [&](int64_t i) {
        sum += i;
        int seen = largest;
        while (seen < thread_index() && !largest.compare_exchange_weak(seen, thread_index())) {
        }
      });
    EXPECT_EQ(sum, 20 * 64 * 63 / 2);
    EXPECT_LT(largest, threads);
  }
}

TEST_F(Parallel, ManyLoopsInARowLoseNoTask) {
  set_thread_count(3);
  std::atomic<int64_t> runs = 0;
  for (int loop = 0; loop < 100'000; ++loop) parallel_for(2, [&](int64_t) { runs.fetch_add(1); });
  EXPECT_EQ(runs, 200'000);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their shadows need more address space than the limit leaves
#else
constexpr bool kSanitized = false;
#endif

// With less address space than so many stacks take; ends the process, with 0 if all is as it should be.
[[noreturn]] void start_too_many_threads() {
  constexpr rlim_t kAddressSpace = rlim_t(400) << 20;
  const rlimit limit{kAddressSpace, kAddressSpace};
  setrlimit(RLIMIT_AS, &limit);
  set_thread_count(4000);
  const std::string error = error_of([] { parallel_for(2, [](int64_t) {}); });
  std::fprintf(stderr, "%s\n", error.c_str());
  std::atomic<int> runs = 0;
  set_thread_count(2);
  parallel_for(10, [&](int64_t) { ++runs; });
  std::_Exit(runs == 10 ? 0 : 1);
}

TEST_F(Parallel, ThreadsThatCannotStartAreAnError) {
  if (kSanitized) GTEST_SKIP() << "not under a sanitizer";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(start_too_many_threads(), ::testing::ExitedWithCode(0),
              "of 4000 threads can start .*lower OMP_NUM_THREADS");
}

TEST(ThreadCount, IsReadFromOmpNumThreads) {
  EXPECT_EQ(detail::threads_of_variable("4"), 4);
  EXPECT_EQ(detail::threads_of_variable("12,2"), 12);
  for (const char* wrong : {"abc", "0", "-1", "4x", "99999999999", ",2", " "})
    EXPECT_THAT(error_of([&] { detail::threads_of_variable(wrong); }),
                AllOf(HasSubstr(fmt::format("OMP_NUM_THREADS={}:", wrong)),
                      HasSubstr("from 1 on")));
}

TEST(ThreadCount, FollowsTheQuotaOfTheCgroup) {
  EXPECT_EQ(detail::threads_of_quota("200000 100000"), 2);
  EXPECT_EQ(detail::threads_of_quota("150000 100000"), 2);
  EXPECT_EQ(detail::threads_of_quota("50000 100000\n"), 1);
  for (const char* unlimited : {"max 100000", "", "0 100000", "100000"})
    EXPECT_EQ(detail::threads_of_quota(unlimited), 0) << unlimited;
}

}  // namespace
}  // namespace laclip

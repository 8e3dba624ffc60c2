#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang's thread-safety analysis (-Wthread-safety): which mutex protects what is checked by the compiler.
#if defined(__clang__)
#define MILLRACE_ATTRIBUTE(x) __attribute__((x))
#else
#define MILLRACE_ATTRIBUTE(x)
#endif
#define GUARDED_BY(x) MILLRACE_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) MILLRACE_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) MILLRACE_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) MILLRACE_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS MILLRACE_ATTRIBUTE(no_thread_safety_analysis)

namespace millrace {

/// std::mutex that the analysis knows.
class MILLRACE_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() MILLRACE_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() MILLRACE_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  bool try_lock() MILLRACE_ATTRIBUTE(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class MILLRACE_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MILLRACE_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() MILLRACE_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition variable for Mutex. Wait in a loop over the condition, holding the mutex:
///   while (!done_) changed_.wait(mutex_);
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False when the time ran out.
  bool wait_for(Mutex& mutex, std::chrono::microseconds timeout) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    bool in_time = condition_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace millrace

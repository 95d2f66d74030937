// The bells of the addon. A Bell wakes one thread, and any thread can ring it. A BellListener is in the event loop of
// the thread to wake, and calls a function there when the bell rings. On Linux, a bell is an eventfd, which libuv
// polls. Elsewhere (or with SLUICE_BELL_ASYNC) it is a uv_async, and a condition variable for wait().
#pragma once

#include <node_api.h>
#include <uv.h>

#include <condition_variable>
#include <mutex>

#if defined(__linux__) && !defined(SLUICE_BELL_ASYNC)
#define SLUICE_BELL_EVENTFD 1
#endif

namespace sluice {

class BellListener;

class Bell {
 public:
  // Throws std::bad_alloc if the system has no descriptor left.
  Bell();
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  // Any thread may call it at any time. On Linux, it makes one system call.
  void ring() noexcept;
  // Sleeps until the bell rings, at most `ms` milliseconds. May return early, because of a ring before the call or of a
  // signal.
  void wait(int ms) noexcept;

 private:
  friend class BellListener;
#if defined(SLUICE_BELL_EVENTFD)
  int fd_;
#else
  std::mutex mutex_;
  std::condition_variable waiters_;
  bool rung_ = false;
  uv_async_t* listener_ = nullptr;  // guarded by mutex_, so that no thread rings it after its close()
#endif
};

// libuv closes handles asynchronously, so a listener deletes itself. The caller calls close() once, and does not use
// the listener afterwards.
class BellListener {
 public:
  using Callback = void (*)(void* data);

  // Throws std::bad_alloc if there is no memory, or libuv refuses. The listener does not keep the loop alive until
  // keep_loop_alive(true).
  static BellListener* open(uv_loop_t* loop, Bell& bell, Callback on_ring, void* data);
  // The loop calls `on_closed` later, and then deletes the listener.
  void close(Bell& bell, Callback on_closed, void* data);
  void keep_loop_alive(bool alive);

 private:
  BellListener() = default;
#if defined(SLUICE_BELL_EVENTFD)
  uv_poll_t handle_;
  int fd_;
#else
  uv_async_t handle_;
#endif
  Callback on_ring_ = nullptr;
  Callback on_closed_ = nullptr;
  void* data_ = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace sluice

// The bells of the addon. A Bell wakes one thread, and any thread can ring it. A BellListener belongs to the event loop
// of the thread to wake, and calls a function there when the bell rings. On Linux a bell is an eventfd: a thread sleeps
// on it in wait(), and libuv polls it for a listener. Elsewhere wait() sleeps on a condition variable, and a listener
// is a uv_async. In Bun a listener is a uv_async on Linux too.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <condition_variable>
#include <mutex>

namespace sluice {

class BellListener;

class Bell {
 public:
  // Makes every listener of this process a uv_async. Called before the first one opens: Bun ends a process that calls
  // uv_poll_init.
  static void listen_by_async() noexcept;

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
  void ring_listener() noexcept;

#if defined(__linux__)
  const int fd_;
#else
  std::condition_variable waiters_;
  bool rung_ = false;  // guarded by mutex_
#endif
  std::mutex mutex_;
  uv_async_t* listener_ = nullptr;  // guarded by mutex_, so that no thread rings it after its close()
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
  BellListener(Callback on_ring, void* data) : on_ring_(on_ring), data_(data) {}
  int start_polling(uv_loop_t* loop, Bell& bell);
  void stop_polling();
  int start_async(uv_loop_t* loop, Bell& bell);

  union {
    uv_handle_t any;
    uv_poll_t poll;
    uv_async_t async;
  } handle_;
  int fd_ = -1;  // what is polled
  const Callback on_ring_;
  void* const data_;
  Callback on_closed_ = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace sluice

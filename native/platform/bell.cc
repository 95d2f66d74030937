#include "platform/bell.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>

#if defined(SLUICE_BELL_EVENTFD)
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#endif

namespace sluice {

#if defined(SLUICE_BELL_EVENTFD)

Bell::Bell() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::bad_alloc();
}
Bell::~Bell() { ::close(fd_); }

void Bell::ring() noexcept {
  const std::uint64_t one = 1;
  // The write fails only when the counter is at its maximum: then the bell is already ringing.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void Bell::wait(int ms) noexcept {
  pollfd polled{fd_, POLLIN, 0};
  if (::poll(&polled, 1, ms) <= 0) return;
  std::uint64_t rings;
  [[maybe_unused]] const auto taken = ::read(fd_, &rings, sizeof rings);
}

BellListener* BellListener::open(uv_loop_t* loop, Bell& bell, Callback on_ring, void* data) {
  auto* listener = new BellListener();
  listener->fd_ = bell.fd_;
  listener->on_ring_ = on_ring;
  listener->data_ = data;
  if (uv_poll_init(loop, &listener->handle_, bell.fd_) != 0) {
    delete listener;
    throw std::bad_alloc();
  }
  listener->handle_.data = listener;
  uv_poll_start(&listener->handle_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<BellListener*>(handle->data);
    std::uint64_t rings;
    [[maybe_unused]] const auto taken = ::read(self->fd_, &rings, sizeof rings);
    self->on_ring_(self->data_);
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(&listener->handle_));
  return listener;
}

void BellListener::close(Bell&, Callback on_closed, void* data) {
  on_closed_ = on_closed;
  closed_data_ = data;
  uv_poll_stop(&handle_);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    auto* self = static_cast<BellListener*>(handle->data);
    self->on_closed_(self->closed_data_);
    delete self;
  });
}

#else

Bell::Bell() = default;
Bell::~Bell() = default;

void Bell::ring() noexcept {
  // uv_async_send first reads its flag "pending", relaxed. This fence pairs with the exchange of that flag in libuv's
  // loop: the listener's callback sees everything that this thread stored before ring().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::lock_guard<std::mutex> guard(mutex_);
  if (listener_ != nullptr) uv_async_send(listener_);
  rung_ = true;
  waiters_.notify_one();
}

void Bell::wait(int ms) noexcept {
  std::unique_lock<std::mutex> guard(mutex_);
  waiters_.wait_for(guard, std::chrono::milliseconds(ms), [this] { return rung_; });
  rung_ = false;
}

BellListener* BellListener::open(uv_loop_t* loop, Bell& bell, Callback on_ring, void* data) {
  auto* listener = new BellListener();
  listener->on_ring_ = on_ring;
  listener->data_ = data;
  const int failed = uv_async_init(loop, &listener->handle_, [](uv_async_t* handle) {
    auto* self = static_cast<BellListener*>(handle->data);
    self->on_ring_(self->data_);
  });
  if (failed != 0) {
    delete listener;
    throw std::bad_alloc();
  }
  listener->handle_.data = listener;
  uv_unref(reinterpret_cast<uv_handle_t*>(&listener->handle_));
  const std::lock_guard<std::mutex> guard(bell.mutex_);
  bell.listener_ = &listener->handle_;
  return listener;
}

void BellListener::close(Bell& bell, Callback on_closed, void* data) {
  {
    const std::lock_guard<std::mutex> guard(bell.mutex_);
    if (bell.listener_ == &handle_) bell.listener_ = nullptr;
  }
  on_closed_ = on_closed;
  closed_data_ = data;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    auto* self = static_cast<BellListener*>(handle->data);
    self->on_closed_(self->closed_data_);
    delete self;
  });
}

#endif

void BellListener::keep_loop_alive(bool alive) {
  if (alive) {
    uv_ref(reinterpret_cast<uv_handle_t*>(&handle_));
  } else {
    uv_unref(reinterpret_cast<uv_handle_t*>(&handle_));
  }
}

}  // namespace sluice

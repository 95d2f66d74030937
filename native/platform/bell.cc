#include "platform/bell.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>

#if defined(__linux__)
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#endif

namespace sluice {

#if defined(__linux__)

namespace {

// Relaxed: a thread writes it while it loads the addon, before it opens a listener or rings a bell.
std::atomic<bool> polls_descriptors{true};

bool polls() { return polls_descriptors.load(std::memory_order_relaxed); }

void silence(int fd) {
  std::uint64_t rings;
  [[maybe_unused]] const auto taken = ::read(fd, &rings, sizeof rings);
}

}  // namespace

void Bell::listen_by_async() noexcept { polls_descriptors.store(false, std::memory_order_relaxed); }

Bell::Bell() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::bad_alloc();
}
Bell::~Bell() { ::close(fd_); }

void Bell::ring() noexcept {
  const std::uint64_t one = 1;
  // The write fails only when the counter is at its maximum: then the bell is already ringing.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
  if (!polls()) ring_listener();
}

void Bell::wait(int ms) noexcept {
  pollfd polled{fd_, POLLIN, 0};
  if (::poll(&polled, 1, ms) > 0) silence(fd_);
}

int BellListener::start_polling(uv_loop_t* loop, Bell& bell) {
  const int failed = uv_poll_init(loop, &handle_.poll, bell.fd_);
  if (failed != 0) return failed;
  fd_ = bell.fd_;
  handle_.any.data = this;
  uv_poll_start(&handle_.poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<BellListener*>(handle->data);
    silence(self->fd_);
    self->on_ring_(self->data_);
  });
  return 0;
}
void BellListener::stop_polling() { uv_poll_stop(&handle_.poll); }

#else

namespace {
constexpr bool polls() { return false; }
}  // namespace

void Bell::listen_by_async() noexcept {}

Bell::Bell() = default;
Bell::~Bell() = default;

void Bell::ring() noexcept {
  ring_listener();
  const std::lock_guard<std::mutex> guard(mutex_);
  rung_ = true;
  waiters_.notify_one();
}

void Bell::wait(int ms) noexcept {
  std::unique_lock<std::mutex> guard(mutex_);
  waiters_.wait_for(guard, std::chrono::milliseconds(ms), [this] { return rung_; });
  rung_ = false;
}

int BellListener::start_polling(uv_loop_t*, Bell&) { return UV_ENOSYS; }
void BellListener::stop_polling() {}

#endif

void Bell::ring_listener() noexcept {
  // uv_async_send first reads its flag "pending", relaxed. This fence pairs with the exchange of that flag in libuv's
  // loop: the listener's callback sees everything that this thread stored before ring().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::lock_guard<std::mutex> guard(mutex_);
  if (listener_ != nullptr) uv_async_send(listener_);
}

int BellListener::start_async(uv_loop_t* loop, Bell& bell) {
  const int failed = uv_async_init(loop, &handle_.async, [](uv_async_t* handle) {
    auto* self = static_cast<BellListener*>(handle->data);
    self->on_ring_(self->data_);
  });
  if (failed != 0) return failed;
  handle_.any.data = this;
  const std::lock_guard<std::mutex> guard(bell.mutex_);
  bell.listener_ = &handle_.async;
  return 0;
}

BellListener* BellListener::open(uv_loop_t* loop, Bell& bell, Callback on_ring, void* data) {
  auto* listener = new BellListener(on_ring, data);
  const int failed = polls() ? listener->start_polling(loop, bell) : listener->start_async(loop, bell);
  if (failed != 0) {
    delete listener;
    throw std::bad_alloc();
  }
  uv_unref(&listener->handle_.any);
  return listener;
}

void BellListener::close(Bell& bell, Callback on_closed, void* data) {
  if (polls()) {
    stop_polling();
  } else {
    const std::lock_guard<std::mutex> guard(bell.mutex_);
    if (bell.listener_ == &handle_.async) bell.listener_ = nullptr;
  }
  on_closed_ = on_closed;
  closed_data_ = data;
  uv_close(&handle_.any, [](uv_handle_t* handle) {
    auto* self = static_cast<BellListener*>(handle->data);
    self->on_closed_(self->closed_data_);
    delete self;
  });
}

void BellListener::keep_loop_alive(bool alive) {
  if (alive) {
    uv_ref(&handle_.any);
  } else {
    uv_unref(&handle_.any);
  }
}

}  // namespace sluice

// The attachments of one JavaScript environment (a thread). They detach when the thread ends, at any moment and in any
// way: return, process.exit(), worker.terminate().
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>

namespace sluice {

class Arena;
class Environment;

// One thread's attachment to a shared object. Hot functions get it as their data pointer.
class Attachment {
 public:
  explicit Attachment(Environment& environment);
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  virtual ~Attachment();

  // Gives back everything that other threads may need. Called by dispose(), by the garbage collector, at the end of the
  // thread, and if no JavaScript object could be made for the attachment; only the first call does anything. Afterwards
  // those hot functions that return an answer return kDisposed, and the others do nothing.
  void detach();
  bool detached() const { return detached_; }

 protected:
  virtual void on_detach() = 0;
  Environment& environment_;

 private:
  friend class Environment;
  void unlink();

  bool detached_ = false;
  Attachment *next_ = nullptr, **link_ = nullptr;  // in the environment's list
};

class Environment {
 public:
  // Makes the environment's data and its clean-up hook. Called at module load.
  static void install(napi_env env);
  static Environment& of(napi_env env);

  napi_env env() const { return env_; }
  // The environment's number as an owner of thread slots: all attachments of one object in this thread share a slot.
  std::uint64_t number() const { return number_; }
  uv_loop_t* loop() const { return loop_; }
  // The arena, if this thread has a window on it (see platform/arena.h); nullptr: it has none.
  Arena* window() const { return window_; }
  // Makes a window of the kBytes bytes at `memory`, which V8 has mapped for this thread. Returns whether it succeeded.
  bool open_window(void* memory);

  // Called when a loop handle begins to close, and when it is closed. The thread ends only after all of them are
  // closed.
  void handle_closing() { ++closing_; }
  void handle_closed();

 private:
  friend class Attachment;
  explicit Environment(napi_env env);
  void clean_up(napi_async_cleanup_hook_handle hook);
  void finish_if_done();

  napi_env env_;
  const std::uint64_t number_;
  uv_loop_t* loop_ = nullptr;
  Arena* window_ = nullptr;
  Attachment* attachments_ = nullptr;  // the newest first
  unsigned closing_ = 0;
  bool ending_ = false;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace sluice

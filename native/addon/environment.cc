#include "addon/environment.h"

#include <cstring>

#include "addon/random.h"
#include "addon/registry.h"
#include "platform/arena.h"
#include "session/queue_cell.h"

namespace sluice {

Attachment::Attachment(Environment& environment)
    : environment_(environment), next_(environment.attachments_), link_(&environment.attachments_) {
  if (next_ != nullptr) next_->link_ = &next_;
  *link_ = this;
}

// An attachment whose construction failed half-way was never detached, so it is still in the environment's list.
Attachment::~Attachment() {
  if (!detached_) unlink();
}

void Attachment::unlink() {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

void Attachment::detach() {
  if (detached_) return;
  detached_ = true;
  unlink();
  on_detach();
}

Environment::Environment(napi_env env) : env_(env), number_(Registry::instance().next_number()) {
  napi_get_uv_event_loop(env, &loop_);
}

bool Environment::open_window(void* memory) {
  Arena* arena = Arena::instance();
  if (arena == nullptr || !arena->lay_over(memory)) return false;
  // The first thread that gets here writes it.
  [[maybe_unused]] static const bool written = [arena] {
    const std::uint64_t secret = random_word();
    std::memcpy(arena->first_page() + kSecretOffset, &secret, sizeof secret);
    return true;
  }();
  window_ = arena;
  return true;
}

void Environment::install(napi_env env) {
  auto* environment = new Environment(env);
  // Node.js calls this finalizer after every clean-up hook and every other finalizer of the environment.
  napi_set_instance_data(
      env, environment, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); }, nullptr);
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle hook, void* data) {
        static_cast<Environment*>(data)->clean_up(hook);
      },
      environment, &environment->hook_);
}

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::clean_up(napi_async_cleanup_hook_handle hook) {
  ending_ = true;
  hook_ = hook;
  while (attachments_ != nullptr) attachments_->detach();
  finish_if_done();
}

void Environment::handle_closed() {
  --closing_;
  finish_if_done();
}

void Environment::finish_if_done() {
  if (!ending_ || closing_ != 0 || hook_ == nullptr) return;
  napi_remove_async_cleanup_hook(hook_);
  hook_ = nullptr;
}

}  // namespace sluice

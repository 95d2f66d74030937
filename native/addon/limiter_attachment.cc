#include "addon/limiter_attachment.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace sluice {

namespace {

std::optional<Queue> view_of(const std::shared_ptr<SharedQueue>& queue) {
  return queue == nullptr ? std::nullopt : std::optional<Queue>(queue->view());
}

}  // namespace

LimiterSession::Parts SharedLimiter::parts(ThreadSlot* slot) const {
  return {memory(), slot, time.clock(), Registry::instance().next_number(), view_of(queue), view_of(watched)};
}

LimiterAttachment::LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared,
                                     ThreadSlot* slot)
    : ObjectAttachment(environment, std::move(shared)), session_(shared_->parts(slot), *shared_) {}

LimiterAttachment* LimiterAttachment::make(Environment& environment, std::shared_ptr<SharedLimiter> shared) {
  return made_with_slot(shared->memory().limiter().thread_slots(), environment,
                        [&](ThreadSlot* slot) { return new LimiterAttachment(environment, shared, slot); });
}

void LimiterAttachment::end() {
  session_.end();
  drop_bell();
}

void LimiterAttachment::on_served(napi_env env, napi_value callback) {
  if (bell_ != nullptr) return;
  const auto on_ring = [](void* data) {
    auto* self = static_cast<LimiterAttachment*>(data);
    self->served_.call(self->environment_.env());
  };
  bell_ = std::make_unique<Bell>();
  try {
    shared_->bells.add(session_.number(), bell_.get());
    if (shared_->time.manual != nullptr) shared_->time.manual->listen(bell_.get());
    served_.open(environment_, *bell_, on_ring, this);
  } catch (...) {
    drop_bell();
    throw;
  }
  served_.set_callback(env, callback);
}

void LimiterAttachment::drop_bell() {
  if (bell_ == nullptr) return;
  shared_->bells.remove(session_.number());
  if (shared_->time.manual != nullptr) shared_->time.manual->ignore(bell_.get());
  served_.drop_callback(environment_.env());
  served_.close(environment_, *bell_);
  bell_.reset();
}

const Key* LimiterAttachment::key(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    std::size_t length = 0;
    napi_get_value_string_utf16(env, value, text_, std::size(text_), &length);
    key_ = session_.limiter().key(KeyKind::kString, text_, length * sizeof(char16_t));
  } else if (type == napi_number) {
    double number = 0;
    napi_get_value_double(env, value, &number);
    if (number == 0) number = 0;  // -0 is 0
    key_ = session_.limiter().key(KeyKind::kNumber, &number, sizeof number);
  } else if (type == napi_bigint) {
    // The sign, then the digits.
    std::size_t count = std::size(digits_) - 1;
    int negative = 0;
    napi_get_value_bigint_words(env, value, &negative, &count, digits_ + 1);
    digits_[0] = static_cast<std::uint64_t>(negative);
    // Node-API has set `count` to the number of words of the bigint, which may be more than there is room for.
    count = std::min(count, std::size(digits_) - 1);
    key_ = session_.limiter().key(KeyKind::kBigint, digits_, (count + 1) * sizeof digits_[0]);
  } else {
    return nullptr;
  }
  return &key_;
}

}  // namespace sluice

#include "addon/queue_attachment.h"

#include "addon/objects.h"

namespace sluice {

QueueAttachment::QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared,
                                 ThreadSlot& slot)
    : ObjectAttachment(environment, std::move(shared)),
      session_(shared_->view(), *shared_, slot, shared_->time.clock(), Registry::instance().next_number()) {}

QueueAttachment* QueueAttachment::make(Environment& environment, std::shared_ptr<SharedQueue> shared) {
  return made_with_slot(shared->view().thread_slots(), environment,
                        [&](ThreadSlot* slot) { return new QueueAttachment(environment, shared, *slot); });
}

bool QueueAttachment::stage(napi_env env, napi_value buffers) {
  const Napi::Object named(env, buffers);
  in_ = Staging(env, get(named, "in"));
  out_ = Staging(env, get(named, "out"));
  dropped_records_ = Staging(env, get(named, "dropped"));
  return ObjectAttachment::stage(env, get(named, "words")) &&
         session_.use({in_.span(), out_.span(), dropped_records_.span(), words()});
}

void QueueAttachment::end() {
  napi_env env = environment_.env();
  session_.end();
  drop_arrivals();
  drop_own_bell();
  for (GatheredBatch& gathered : batches_) gathered.buffer.release(env);
  in_.release(env);
  out_.release(env);
  dropped_records_.release(env);
}

// ---- producing ---------------------------------------------------------------------------------------------

Bell& QueueAttachment::own_bell() {
  if (own_bell_ == nullptr) {
    auto bell = std::make_unique<Bell>();
    shared_->bells.add(session_.number(), bell.get());
    own_bell_ = std::move(bell);
  }
  return *own_bell_;
}

void QueueAttachment::drop_own_bell() {
  if (own_bell_ == nullptr) return;
  shared_->bells.remove(session_.number());
  served_.drop_callback(environment_.env());
  served_.close(environment_, *own_bell_);
  own_bell_.reset();  // its descriptor is free now, not when the object is collected
}

void QueueAttachment::listen_for_served() {
  served_.open(
      environment_, own_bell(),
      [](void* data) {
        auto* self = static_cast<QueueAttachment*>(data);
        self->served_.call(self->environment_.env());
      },
      this);
}

std::uint32_t QueueAttachment::open_batch(napi_env env, napi_value buffer, std::uint32_t lane) {
  std::uint32_t number = 0;
  while (number < batches_.size() && batches_[number].is_open) ++number;
  if (number == batches_.size()) batches_.emplace_back();
  GatheredBatch& gathered = batches_[number];
  gathered.buffer = Staging(env, buffer);
  gathered.batch = {gathered.buffer.span(), lane};
  gathered.is_open = session_.open_batch(gathered.batch);
  if (!gathered.is_open) gathered.buffer.release(env);
  return gathered.is_open ? number : kNoBatch;
}

void QueueAttachment::close_batch(std::uint32_t number) {
  GatheredBatch& gathered = batches_[number];
  session_.close_batch(gathered.batch);
  gathered.buffer.release(environment_.env());
  gathered.is_open = false;
}

// ---- consuming ---------------------------------------------------------------------------------------------

void QueueAttachment::drop_arrivals() {
  parked_ = false;
  arrivals_.drop_callback(environment_.env());
  arrivals_.close(environment_, shared_->bell);
}

void QueueAttachment::give_lease() {
  drop_arrivals();
  session_.give_lease();
}

Park QueueAttachment::park() {
  arrivals_.open(
      environment_, shared_->bell,
      [](void* data) {
        auto* self = static_cast<QueueAttachment*>(data);
        self->unpark();
        self->session_.woke();
        self->arrivals_.call(self->environment_.env());
      },
      this);
  const Park parked = session_.park();
  parked_ = parked == Park::kParked;
  if (parked_) arrivals_.keep_loop_alive(ref_);
  return parked;
}

void QueueAttachment::unpark() {
  parked_ = false;
  session_.unpark();
  arrivals_.keep_loop_alive(false);
}

void QueueAttachment::set_ref(bool ref) {
  ref_ = ref;
  if (parked_) arrivals_.keep_loop_alive(ref);
}

}  // namespace sluice

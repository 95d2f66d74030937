#include "addon/queue_attachment.h"

#include <cstring>

#include "addon/objects.h"
#include "addon/random.h"

namespace sluice {

QueueAttachment::QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared,
                                 ThreadSlot& slot, Piece cell)
    : ObjectAttachment(environment, std::move(shared)),
      session_(shared_->view(), *shared_, slot, shared_->time.clock(), Registry::instance().next_number()),
      memory_(std::move(cell)) {
  if (memory_) cell_ = new (memory_.memory()) QueueCell{};
  napi_adjust_external_memory(environment.env(), static_cast<std::int64_t>(memory_.bytes()), nullptr);
}

QueueAttachment::~QueueAttachment() {
  napi_adjust_external_memory(environment_.env(), -static_cast<std::int64_t>(memory_.bytes()), nullptr);
}

QueueAttachment* QueueAttachment::make(Environment& environment, std::shared_ptr<SharedQueue> shared,
                                       Piece cell) {
  return made_with_slot(shared->view().thread_slots(), environment, [&](ThreadSlot* slot) {
    return new QueueAttachment(environment, shared, *slot, std::move(cell));
  });
}

bool QueueAttachment::stage(napi_env env, napi_value buffer) {
  const QueueStaging::Places places(session_.record_bytes());
  std::byte* begin = cell_ == nullptr ? nullptr : memory_.memory() + sizeof(QueueCell);
  if (cell_ == nullptr) {
    if (!ObjectAttachment::stage(env, buffer) || staged().size() < places.layout.bytes()) return false;
    begin = staged().data();
  } else if (!ObjectAttachment::stage({begin, QueueStaging::kBytes})) {
    return false;
  }
  const std::uint64_t records = kStagedRecords * session_.record_bytes();
  QueueSession::Buffers buffers{
      {begin + places.in, places.in_apart * kStagedRecords - sizeof(RingSlot<StdAtomics>)},
      places.in_apart,
      {begin + places.out, records},
      {begin + places.dropped, kDroppedMax * session_.record_bytes()},
      words(),
      cell_ == nullptr ? nullptr : &cell_->state};
  if (!session_.use(buffers)) return false;
  if (cell() != nullptr) fill_cell(places);
  return true;
}

void QueueAttachment::fill_cell(const QueueStaging::Places& places) {
  const Arena& arena = *shared_->segment.arena();
  const std::uint32_t begin = memory_.offset() + sizeof(QueueCell);
  Queue& queue = session_.queue();
  cell_->control = arena.offset_of(&queue.control());
  cell_->ring = arena.offset_of(queue.ring().memory());
  cell_->waiters = arena.offset_of(queue.room_waiters().memory());
  cell_->slot = arena.offset_of(&session_.slot());
  cell_->words = begin + static_cast<std::uint32_t>(places.words);
  cell_->in = begin + static_cast<std::uint32_t>(places.in);
  cell_->out = begin + static_cast<std::uint32_t>(places.out);
  cell_->overwrites = queue.overwrites() ? 1 : 0;
  cell_->capacity = queue.shape().ring_capacity();
  cell_->record_bytes = session_.record_bytes();
  key_ = random_word();
  std::uint64_t secret = 0;
  std::memcpy(&secret, arena.first_page() + kSecretOffset, sizeof secret);
  cell_->key = key_ ^ secret;
}

void QueueAttachment::end() {
  napi_env env = environment_.env();
  session_.end();
  if (cell_ != nullptr) cell_->key = random_word();
  drop_arrivals();
  drop_own_bell();
  for (GatheredBatch& gathered : batches_) gathered.buffer.release(env);
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

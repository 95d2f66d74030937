// A queue as the threads of the process share it, and as one thread of Node sees it: a session, the bells that its
// event loop hears, and the JavaScript buffers that it works on.
#pragma once

#include <atomic>
#include <deque>
#include <memory>

#include "addon/clock.h"
#include "addon/loop_bell.h"
#include "addon/object_attachment.h"
#include "contract/staging.h"
#include "platform/bells.h"
#include "platform/mapping.h"
#include "session/queue_session.h"

namespace sluice {

struct SharedQueue : SharedObject, QueueHost {
  using Object = Queue;

  SharedQueue() : SharedObject(ObjectKind::kQueue) {}

  Queue view() const { return Queue(segment.body()); }
  const QueueShape& shape() const { return shape_in<Queue>(segment.body()); }

  void ring_consumer() noexcept override { bell.ring(); }
  void ring(std::uint64_t session) noexcept override { bells.ring(session); }
  void ring_all() noexcept override { bells.ring_all(); }
  void give_back(const Tag& tag) noexcept override {
    // Relaxed: the user of the tags stored `returns` before it put any tag, and this thread acquired the tag by the
    // stamp of the tag's record.
    returns.load(std::memory_order_relaxed)->give_back(tag);
  }

  Segment segment;
  ClockSource time;
  Bell bell;    // the consumer's bell
  Bells bells;  // of attachments that wait, or once waited, for room or the queue's end
  std::atomic<TagReturns*> returns{nullptr};  // those of the user of the tags; nullptr: there was none yet
};

class QueueAttachment final : public ObjectAttachment<SharedQueue, QueueStaging> {
 public:
  // nullptr when kThreadsMax threads have this queue attached.
  // `cell`: the memory for a cell, or nothing.
  static QueueAttachment* make(Environment& environment, std::shared_ptr<SharedQueue> shared, Piece cell);

  ~QueueAttachment() override;

  QueueSession& session() { return session_; }

  // The size of a cell for records of that many bytes.
  static std::uint64_t cell_bytes(std::uint64_t record_bytes) {
    return sizeof(QueueCell) + QueueStaging::Places(record_bytes).layout.bytes();
  }
  // Keeps `buffer` as the staging, with all parts of QueueStaging; an attachment with a cell has its staging there.
  // False: the buffer is too small.
  bool stage(napi_env env, napi_value buffer);
  // The cell of the session, if the WebAssembly face can be called for it; nullptr: it has none, or its queue does not
  // lie in the arena.
  const QueueCell* cell() const { return shared_->segment.arena() != nullptr ? cell_ : nullptr; }
  std::uint64_t key() const { return key_; }
  // The offset in the arena at which the cell begins; 0: there is none.
  std::uint32_t cell_offset() const { return cell_ == nullptr ? 0 : memory_.offset(); }

  // Returns the attachment's own bell, which it makes at the first call. Must be called before the session waits for
  // room. Throws std::bad_alloc.
  Bell& own_bell();
  // Makes the event loop listen to the attachment's own bell. Throws std::bad_alloc.
  void listen_for_served();
  LoopBell& served() { return served_; }

  static constexpr std::uint32_t kNoBatch = ~0u;
  // Returns the batch's number, or kNoBatch if `buffer` has no room for a record. Throws std::bad_alloc.
  std::uint32_t open_batch(napi_env env, napi_value buffer, std::uint32_t lane);
  // nullptr: no batch with that number is open.
  QueueSession::Batch* batch(std::uint32_t number) {
    return number < batches_.size() && batches_[number].is_open ? &batches_[number].batch : nullptr;
  }
  // Publishes the gathered records and closes the batch. Afterwards its number is free for another batch.
  void close_batch(std::uint32_t number);

  void give_lease();
  // Parks the consumer: see QueueSession::park(). The event loop listens to the consumer's bell. Throws std::bad_alloc.
  Park park();
  void unpark();
  // Sets whether a wait for records keeps the thread's loop alive.
  void set_ref(bool ref);
  // Sleeps until there may be something to consume, but at most `ms`.
  Park await_record(int ms) {
    return session_.await_record([this, ms] { shared_->bell.wait(ms); });
  }
  LoopBell& arrivals() { return arrivals_; }

 private:
  struct GatheredBatch {
    QueueSession::Batch batch;
    Staging buffer;
    bool is_open = false;
  };

  QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared, ThreadSlot& slot,
                  Piece cell);
  void end() override;
  void drop_arrivals();
  void drop_own_bell();

  QueueSession session_;
  bool parked_ = false;  // from a park() that returned kParked until unpark()
  bool ref_ = true;
  void fill_cell(const QueueStaging::Places& places);

  // Given back when this object is deleted, not when it is detached: until then a call of lib/ may be on the stack that
  // reads or writes the staging, such as an encoder from within which a getter has disposed of the queue.
  const Piece memory_;
  std::uint64_t key_ = 0;      // of the cell
  QueueCell* cell_ = nullptr;  // at the beginning of `memory_`
  LoopBell arrivals_, served_;
  std::unique_ptr<Bell> own_bell_;
  std::deque<GatheredBatch> batches_;  // a deque, because an open batch must not move
};

}  // namespace sluice

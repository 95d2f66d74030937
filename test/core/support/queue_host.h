// A queue as a face shares it among its sessions: bells that remember that they were rung, and the returns of tags.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bell.h"
#include "queue_numbers.h"
#include "session/queue_session.h"

namespace sluice::test {

class TestHost : public QueueHost {
 public:
  static constexpr std::uint64_t kSessions = 8;

  void ring_consumer() noexcept override {
    rung_.fetch_add(1);
    consumer_.ring();
  }
  void ring(std::uint64_t session) noexcept override { bells_[session].ring(); }
  void ring_all() noexcept override {
    rung_all_.fetch_add(1);
    for (Bell& bell : bells_) bell.ring();
  }
  void give_back(const Tag& tag) noexcept override {
    std::uint64_t number;
    std::memcpy(&number, tag.bytes, sizeof number);
    given_back_.fetch_add(number);
  }

  Bell& consumer() { return consumer_; }
  Bell& bell(std::uint64_t session) { return bells_[session]; }
  // Returns how often the consumer's bell was rung since the last call.
  std::uint32_t rung() { return rung_.exchange(0); }
  std::uint32_t rung_all() { return rung_all_.exchange(0); }
  std::uint64_t given_back() const { return given_back_.load(); }

 private:
  Bell consumer_, bells_[kSessions];
  std::atomic<std::uint32_t> rung_{0}, rung_all_{0};
  std::atomic<std::uint64_t> given_back_{0};
};

// A queue of 64-bit numbers, shared by sessions.
struct SharedNumbers {
  explicit SharedNumbers(const QueueShape& shape)
      : memory(Queue::bytes(shape)), shape(shape), clock(&manual) {
    view().format(Numbers::kStart);
  }
  Queue view() const { return Queue(memory, shape); }
  // The permits that threads hold, as counted in their slots.
  std::uint64_t permits_held() const {
    std::uint64_t held = 0;
    for (std::uint32_t lane = 0; lane < shape.lanes; ++lane)
      held += view().thread_slots().sum(Queue::kPermits + lane);
    return held;
  }

  ZeroedMemory memory;
  QueueShape shape;
  TestHost host;
  ManualClock manual{1'000};
  Clock clock;
};

// A session, with buffers of its own.
struct NumberSession {
  NumberSession(SharedNumbers& shared, std::uint64_t number, std::uint64_t thread = ThreadSlots::kNameless)
      : shared(shared),
        session(shared.view(), shared.host, *shared.view().thread_slots().acquire(thread), shared.clock,
                number) {
    const auto bytes = [](List& list) { return std::as_writable_bytes(std::span(list)); };
    REQUIRE(session.use({bytes(in), sizeof(std::uint64_t), bytes(out), bytes(dropped), Words(bytes(words))}));
  }
  QueueSession* operator->() { return &session; }

  PushResult push(std::uint64_t number, std::uint32_t lane = 0) {
    in[0] = number;
    const PushResult result = session.push(lane, session.ttl(false));
    if (result == PushResult::kPushed) session.ring_if_parked();
    return result;
  }
  std::uint32_t wait_to_push(std::uint64_t number, std::uint32_t lane = 0) {
    in[0] = number;
    return session.wait_to_push(lane, session.ttl(false));
  }
  void push_reserved(const List& numbers, std::uint32_t unused, std::uint32_t lane = 0) {
    std::copy(numbers.begin(), numbers.end(), in.begin());
    session.push_reserved(lane, session.in_from(0), static_cast<std::uint32_t>(numbers.size()), unused,
                          session.ttl(false));
  }
  List take(std::uint32_t max) {
    REQUIRE(session.consumes());
    return shown(session.take(max));
  }
  List next(std::uint32_t consumed, std::uint32_t max) {
    REQUIRE(session.consumes());
    answer = session.next(consumed, max);
    return shown(answer == kShownAndGone ? 1 : answer);
  }
  List shown(std::uint32_t count) const { return {out.begin(), out.begin() + count}; }

  SharedNumbers& shared;
  List in = List(64), out = List(64), dropped = List(64), words = List(QueueStaging::kBytes / 8);
  QueueSession session;
  std::uint32_t answer = 0;  // the answer of the last next()
};

}  // namespace sluice::test

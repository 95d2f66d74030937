// One thread's batches for a queue: the records in their buffers, and which of these are published.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <span>

#include "queue_host.h"
#include "session/queue_session.h"

TEST_SUITE_BEGIN("queue batches");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::NumberSession;
using sluice::test::shape_of;
using sluice::test::SharedNumbers;

// A batch, and its buffer for `kRecords` numbers, as a face keeps them.
template <std::uint32_t kRecords>
struct Gathering {
  explicit Gathering(std::uint32_t lane = 0) : batch{std::as_writable_bytes(std::span(words)), lane} {}
  void gather(std::uint64_t number) {
    auto* counts = reinterpret_cast<std::uint32_t*>(words.data());
    words[1 + counts[0]++] = number;
  }
  std::array<std::uint64_t, 1 + kRecords> words{};
  QueueSession::Batch batch;
};

}  // namespace

TEST_CASE("records in batches are published when the session ends, oldest batch first") {
  SharedNumbers shared(shape_of(8));
  NumberSession gathering(shared, 1), consumer(shared, 2);
  Gathering<2> first, second;
  Gathering<1> closed;
  std::array<std::uint64_t, 1> none{};
  QueueSession::Batch too_small{std::as_writable_bytes(std::span(none)), 0};
  CHECK_FALSE(gathering->open_batch(too_small));
  for (QueueSession::Batch* batch : {&first.batch, &closed.batch, &second.batch}) {
    REQUIRE(gathering->open_batch(*batch));
    CHECK(gathering->fill_batch(*batch) == batch->buffer.size() / 8 - 1);
  }
  closed.gather(1);
  gathering->close_batch(closed.batch);
  first.gather(2);
  second.gather(3);
  second.gather(4);
  CHECK(shared.permits_held() == 4);
  CHECK(shared.view().depth() == 1);
  gathering->end();
  CHECK(consumer.take(8) == List{1, 2, 3, 4});
  CHECK(shared.permits_held() == 0);
  CHECK(shared.view().permits() == 0);
  consumer->end();
}

TEST_CASE("a batch publishes no more than its room and permits, whatever counts its buffer has") {
  SharedNumbers shared(shape_of(4));
  NumberSession gathering(shared, 1);
  Gathering<2> batch;
  REQUIRE(gathering->open_batch(batch.batch));
  REQUIRE(gathering->fill_batch(batch.batch) == 2);
  auto* counts = reinterpret_cast<std::uint32_t*>(batch.words.data());
  counts[0] = counts[1] = ~0U;
  CHECK(gathering->flush_batch(batch.batch) == 2);
  CHECK(shared.view().permits() == 0);
  counts[0] = counts[1] = ~0U;
  CHECK(gathering->flush_batch(batch.batch) == 0);
  CHECK(shared.view().depth() == 2);
  CHECK(gathering->fill_batch(batch.batch) == 2);
  Gathering<2> late;
  REQUIRE(gathering->open_batch(late.batch));
  CHECK(gathering->fill_batch(late.batch) == 0);
  CHECK(shared.view().rejected() == 1);
  gathering->end();
}

TEST_CASE("a batch publishes no record from beyond its buffer, however many permits its session has") {
  SharedNumbers shared(shape_of(8));
  NumberSession gathering(shared, 1);
  Gathering<2> batch;
  REQUIRE(gathering->open_batch(batch.batch));
  REQUIRE(gathering->fill_batch(batch.batch) == 2);
  REQUIRE(gathering->reserve(0, 4) == 4);
  auto* counts = reinterpret_cast<std::uint32_t*>(batch.words.data());
  counts[0] = counts[1] = ~0U;
  CHECK(gathering->flush_batch(batch.batch) == 2);
  CHECK(shared.view().depth() == 2);
  gathering->end();
}

TEST_SUITE_END();

// The segments of all four kinds of objects. check_segment() refuses a segment whose header or whose shape is not as it
// was made.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "core/base/segment.h"
#include "core/gate/gate_memory.h"
#include "core/gate/order_tag.h"
#include "core/limiter/limiter_segment.h"
#include "core/queue/queue.h"
#include "core/stock/ledger_memory.h"
#include "segment_object.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("segment_kinds");

namespace {

using namespace sluice;
using sluice::test::schema;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kSchema = 0x1234'5678'9abc'def0;

// For each kind of object: a shape, the hash of its layout, which is the same on every machine, and changes of the
// shape that must be noticed.
template <class Object>
struct Sample;

template <>
struct Sample<Queue> {
  static constexpr std::uint64_t kHash = 0x1488'5440'bc50'8493;
  static QueueShape shape() {
    QueueShape shape;
    shape.capacity = 50;
    shape.record_bytes = 24;
    shape.lanes = 1;
    shape.waiters = 4;
    shape.latency = shape.expires = true;
    shape.ttl_ns = 1'000;
    shape.overflow = Overflow::kDropOldest;
    shape.shedding = {5, 100};
    shape.weights[0] = 3;
    shape.tag_bytes = sizeof(OrderTag);
    return shape;
  }
  static void format(std::byte* body) { Queue(body, shape()).format(0); }
  static std::vector<std::function<void(QueueShape&)>> changes() {
    return {[](auto& shape) { ++shape.capacity; },
            [](auto& shape) { shape.capacity = kCapacityMax + 1; },
            [](auto& shape) { shape.capacity = ~0ULL; },
            [](auto& shape) { ++shape.record_bytes; },
            [](auto& shape) { shape.record_bytes = ~0ULL; },
            [](auto& shape) { shape.lanes = 2; },
            [](auto& shape) { shape.lanes = 0; },
            [](auto& shape) { shape.lanes = ~0U; },
            [](auto& shape) { shape.waiters = ~0U; },
            [](auto& shape) { shape.latency = false; },
            [](auto& shape) { shape.expires = false; },
            [](auto& shape) { ++shape.ttl_ns; },
            [](auto& shape) { shape.overflow = Overflow::kReject; },
            [](auto& shape) { shape.overflow = static_cast<Overflow>(77); },
            [](auto& shape) { ++shape.shedding.target_ns; },
            [](auto& shape) { ++shape.shedding.interval_ns; },
            [](auto& shape) { ++shape.weights[kLanesMax - 1]; },
            [](auto& shape) { shape.tag_bytes = 0; },
            [](auto& shape) { shape.tag_bytes = ~0U; }};
  }
};

template <>
struct Sample<LimiterSegment> {
  static constexpr std::uint64_t kHash = 0x3992'47a1'05bd'0fe4;
  static LimiterConfig shape() {
    LimiterConfig config;
    config.has_bucket = config.has_depth = true;
    config.bucket = {TokenRate::per_second(100), 100, 10, 0};
    config.depth_max = 9;
    config.keys_max = 100;
    config.waiting_max = 5;
    config.waiting_per_key = 2;
    config.watch = {1'000, 10'000};
    config.window_count = 3;
    config.windows[0].sliding = {100, 1'000, 10};
    config.windows[1].sliding = {7, 1'000, 1};
    config.windows[1].exact = true;
    config.windows[1].log_capacity = 7;
    config.windows[2].sliding.limit = 5;
    config.windows[2].every = Every::kDay;
    config.windows[2].zone_changes = 1;
    return config;
  }
  static void format(std::byte* body) { LimiterSegment::format(body, shape(), {}, 0, {}); }
  static std::vector<std::function<void(LimiterConfig&)>> changes() {
    return {[](auto& config) { config.has_bucket = false; },
            [](auto& config) { config.has_depth = false; },
            [](auto& config) { config.depth_of_queue = true; },
            [](auto& config) { config.window_count = 2; },
            [](auto& config) { config.window_count = kWindowsMax + 1; },
            [](auto& config) { config.window_count = ~0U; },
            [](auto& config) { config.is_manual = true; },
            [](auto& config) { config.keys_max = 0; },
            [](auto& config) { config.keys_max = ~0ULL; },
            [](auto& config) { ++config.waiting_max; },
            [](auto& config) { config.waiting_max = ~0U; },
            [](auto& config) { ++config.waiting_per_key; },
            [](auto& config) { ++config.watch.target_ns; },
            [](auto& config) { ++config.watch.interval_ns; },
            [](auto& config) { ++config.windows[0].sliding.buckets; },
            [](auto& config) { config.windows[0].sliding.buckets = ~0U; },
            [](auto& config) { config.windows[1].exact = false; },
            [](auto& config) { ++config.windows[1].log_capacity; },
            [](auto& config) { config.windows[1].log_capacity = ~0ULL; },
            [](auto& config) { config.windows[2].every = Every::kWeek; },
            [](auto& config) { config.windows[2].every = static_cast<Every>(77); },
            [](auto& config) { ++config.windows[2].zone_changes; },
            [](auto& config) { config.windows[2].zone_changes = ~0U; },
            [](auto& config) { ++config.windows[2].first_change; }};
  }
};

template <>
struct Sample<LedgerMemory> {
  static constexpr std::uint64_t kHash = 0x8f4f'0f1c'5653'0129;
  static LedgerShape shape() { return {3, 40, 50, 60, 70}; }
  static void format(std::byte* body) {
    LedgerMemory(body, shape()).format(shape(), 1'000, {}, Sweeping::kAsked);
  }
  static std::vector<std::function<void(LedgerShape&)>> changes() {
    return {[](auto& shape) { ++shape.items; },
            [](auto& shape) { shape.items = 0; },
            [](auto& shape) { shape.items = ~0U; },
            [](auto& shape) { ++shape.reservations; },
            [](auto& shape) { shape.reservations = 0; },
            [](auto& shape) { shape.reservations = ~0U; },
            [](auto& shape) { ++shape.users; },
            [](auto& shape) { shape.users = ~0U; },
            [](auto& shape) { ++shape.ids; },
            [](auto& shape) { shape.ids = ~0U; },
            [](auto& shape) { ++shape.movements; },
            [](auto& shape) { shape.movements = ~0U; }};
  }
};

template <>
struct Sample<GateMemory> {
  static constexpr std::uint64_t kHash = 0xbdf2'b7cf'096a'6fd0;
  static GateShape shape() {
    return {{{NumberType::kU32, 0}, {NumberType::kU16, 4}, {NumberType::kText, 6, 10}, {}}, 8, 24};
  }
  static void format(std::byte* body) { GateMemory(body).format(shape()); }
  static std::vector<std::function<void(GateShape&)>> changes() {
    return {[](auto& shape) { ++shape.in_hand_max; },
            [](auto& shape) { shape.in_hand_max = 0; },
            [](auto& shape) { shape.in_hand_max = ~0U; },
            [](auto& shape) { ++shape.record_bytes; },
            [](auto& shape) { shape.record_bytes = 0; },
            [](auto& shape) { shape.record_bytes = ~0ULL; },
            [](auto& shape) { shape.fields.user.text_room = 1'000; },
            [](auto& shape) { shape.fields.sku.type = static_cast<NumberType>(77); }};
  }
};

// A segment with its object in it, as the platform makes it.
template <class Object>
struct Made {
  Made() : bytes(kSegmentBody + Object::bytes(Sample<Object>::shape())), memory(bytes) {
    const std::uint64_t hash = Object::layout(Sample<Object>::shape()).hash();
    format_segment(memory.get(), Object::kKind, bytes, hash, kSchema);
    Sample<Object>::format(memory.get() + kSegmentBody);
  }
  AttachError attach() const { return check_segment<Object>(memory.get(), bytes, schema(kSchema)); }
  SegmentHeader& header() { return *reinterpret_cast<SegmentHeader*>(memory.get()); }

  const std::uint64_t bytes;
  ZeroedMemory memory;
};

TEST_CASE_TEMPLATE("a segment attaches; its shape alone determines where its parts are", Object, Queue,
                   LimiterSegment, LedgerMemory, GateMemory) {
  const Made<Object> segment;
  CHECK(segment.attach() == AttachError::kNone);
}

TEST_CASE_TEMPLATE("no changed bit of a header goes unnoticed", Object, Queue, LimiterSegment, LedgerMemory,
                   GateMemory) {
  Made<Object> segment;
  const struct {
    std::size_t from, to;
    AttachError error;
  } fields[] = {{offsetof(SegmentHeader, magic), 8, AttachError::kBadMagic},
                {offsetof(SegmentHeader, layout_version), 4, AttachError::kBadVersion},
                {offsetof(SegmentHeader, kind), 4, AttachError::kBadKind},
                {offsetof(SegmentHeader, bytes), 8, AttachError::kTooSmall},
                {offsetof(SegmentHeader, layout_hash), 8, AttachError::kBadLayout},
                {offsetof(SegmentHeader, schema_hash), 8, AttachError::kBadSchema}};
  std::size_t noticed = 0;
  for (const auto& [from, size, error] : fields) {
    CAPTURE(from);
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      CAPTURE(bit);
      std::byte& octet = segment.memory.get()[from + bit / 8];
      octet ^= std::byte{1} << bit % 8;
      CHECK(segment.attach() == error);
      octet ^= std::byte{1} << bit % 8;
      ++noticed;
    }
  }
  CHECK(noticed == 8 * sizeof(SegmentHeader));
  CHECK(segment.attach() == AttachError::kNone);
}

TEST_CASE_TEMPLATE("a segment of any other kind is refused", Object, Queue, LimiterSegment, LedgerMemory,
                   GateMemory) {
  Made<Object> segment;
  const auto refusal = [&]<class Other>() {
    return check_segment<Other>(segment.memory.get(), segment.bytes, schema(kSchema));
  };
  const AttachError errors[] = {
      refusal.template operator()<Queue>(), refusal.template operator()<LimiterSegment>(),
      refusal.template operator()<LedgerMemory>(), refusal.template operator()<GateMemory>()};
  std::size_t refused = 0;
  for (const AttachError error : errors) refused += error == AttachError::kBadKind ? 1 : 0;
  CHECK(refused == 3);
}

TEST_CASE_TEMPLATE("a segment is refused if any number of its shape was changed", Object, Queue,
                   LimiterSegment, LedgerMemory, GateMemory) {
  const auto changes = Sample<Object>::changes();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    Made<Object> segment;
    changes[i](*reinterpret_cast<typename Object::Shape*>(segment.memory.get() + kSegmentBody));
    CHECK(segment.attach() == AttachError::kBadLayout);
  }
}

TEST_CASE_TEMPLATE("a segment with less memory than its shape takes is refused, whatever its header says",
                   Object, Queue, LimiterSegment, LedgerMemory, GateMemory) {
  Made<Object> segment;
  CHECK(check_segment<Object>(segment.memory.get(), segment.bytes - 1, schema(kSchema)) ==
        AttachError::kTooSmall);
  segment.header().bytes = segment.bytes - 1;
  CHECK(segment.attach() == AttachError::kTooSmall);
}

TEST_CASE("a limiter whose settings configure() has changed still attaches") {
  Made<LimiterSegment> segment;
  auto& config = *reinterpret_cast<LimiterConfig*>(segment.memory.get() + kSegmentBody);
  LimiterConfig next = config;
  next.enforce = false;
  next.bucket = {TokenRate::per_second(5), 5, 3, 77};
  next.depth_max = 3;
  next.windows[0].sliding = {50, 500, 10};
  config.change_to(next);
  CHECK(config.windows[0].sliding.limit == 50);
  CHECK(config.windows[0].sliding.bucket_ns == 500);
  CHECK(segment.attach() == AttachError::kNone);
}

TEST_CASE("the schema hash of a gate covers its queue's records and all that it reads of them") {
  const GateShape shape = Sample<GateMemory>::shape();
  const std::uint64_t hash = shape.schema_hash(kSchema);
  CHECK(Sample<GateMemory>::shape().schema_hash(kSchema) == hash);
  CHECK(shape.schema_hash(kSchema + 1) != hash);
  const std::function<void(GateShape&)> changes[] = {
      [](auto& other) { other.fields.sku.offset += 4; },
      [](auto& other) { other.fields.quantity.type = NumberType::kU8; },
      [](auto& other) { --other.fields.user.text_room; },
      [](auto& other) {
        other.fields.id = {NumberType::kU8, 0};
      },
      [](auto& other) { other.fields.has_text = false; }};
  for (const auto& change : changes) {
    GateShape other = shape;
    change(other);
    CHECK(other.schema_hash(kSchema) != hash);
  }
}

// Fails when the layout of a kind changes. Then raise kLayoutVersion, if a release has the present one, and write the
// new hashes into the samples above. The hashes are the same on every machine, because 32-bit WebAssembly and 64-bit
// native code work on one segment.
TEST_CASE_TEMPLATE("the layout is that of this version", Object, Queue, LimiterSegment, LedgerMemory,
                   GateMemory) {
  static_assert(kLayoutVersion == 2);
  CHECK(Object::layout(Sample<Object>::shape()).hash() == Sample<Object>::kHash);
}

}  // namespace

TEST_SUITE_END();

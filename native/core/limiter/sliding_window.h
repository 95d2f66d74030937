// A strict sliding window: no window of the given length, wherever it begins, admits more than the limit.
//
// Time is cut into buckets of window / n. The usual scheme counts n buckets, the running one among them, and
// admits up to twice its limit (L at the end of one bucket, L at the start of the n-th next). This one counts
// the n full buckets AND the running one: any true window lies within those n + 1. The price is that a request
// is remembered for up to window * (1 + 1/n), so steady throughput is about 1/n below the limit.
//
// One cell per bucket, n + 1 in a circle, each one word:  | bucket number : 33 | sealed : 1 | count : 30 |
//
// Only the running bucket's cell is added to. Before a thread opens a new bucket it seals the cells of the n
// before it, and an add is a CAS that fails on a sealed cell; so when the CAS on the running cell succeeds, the
// sum over the older cells that was checked cannot have grown: check and add are one step, with no lock.
// A refund may shrink an older cell at any time, which only errs on the strict side.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/limiter/token_bucket.h"  // kNever

namespace sluice {

inline constexpr std::uint64_t kWindowLimitMax = (1ULL << 30) - 1;
inline constexpr std::uint32_t kWindowBucketsMax = 1000;

struct SlidingWindowConfig {
  std::uint64_t limit = 0;      // 1 to kWindowLimitMax
  std::uint64_t bucket_ns = 0;  // window / buckets; of buckets + 1 together at most 2^56: two years
  std::uint32_t buckets = 0;    // n: 1 to kWindowBucketsMax
};

class SlidingWindow {
 public:
  using Cell = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t cells(std::uint32_t buckets) { return buckets + 1ULL; }

  // `cells` points to cells(config.buckets) zeroed words.
  SlidingWindow(const SlidingWindowConfig& config, Cell* cells) : config_(config), cells_(cells) {}

  // What take() records for refund(): the bucket that was charged.
  struct Charge {
    std::uint64_t bucket;
    bool taken;
  };

  // Counts `cost` at time `now` (ns since the limiter's epoch), or changes nothing. `clock_now` reads the clock anew
  // and is called only if another thread seems to have opened a later bucket.
  template <class ReadClock>
  Charge take(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    std::uint64_t bucket = bucket_of(now);
    if (cost > config_.limit) return {bucket, false};  // and the sum below cannot overflow
    for (;;) {
      Cell& running = cell(bucket);
      // ACQ cell: pairs with REL in open() and seal(): the older cells are sealed before this one is open.
      std::uint64_t word = running.load(std::memory_order_acquire);
      if (bucket_in(word) != number(bucket)) {
        if (!open(bucket, clock_now)) bucket = later_bucket(bucket, clock_now());
        continue;
      }
      if (word & kSealed) {
        bucket = later_bucket(bucket, clock_now());
        continue;
      }
      const std::uint64_t older = older_sum(bucket, clock_now);
      if (older == kOvertaken) {
        bucket = later_bucket(bucket, clock_now());
        continue;
      }
      if (older + count_in(word) + cost > config_.limit) return {bucket, false};
      // Relaxed on success would do for the count; ACQ/REL keeps the sum's loads before the add.
      if (running.compare_exchange_weak(word, word + cost, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
        return {bucket, true};
      }
    }
  }

  // Undoes a take(), however late. Cannot fail: a bucket that has left the window needs no refund.
  void refund(const Charge& charge, std::uint64_t cost, std::uint64_t now) noexcept {
    const std::uint64_t running = bucket_of(now);
    // Decided by the whole number, because the 33 bits in a cell repeat.
    if (running > charge.bucket && running - charge.bucket > config_.buckets) return;
    Cell& charged = cell(charge.bucket);
    std::uint64_t word = charged.load(std::memory_order_relaxed);
    while (bucket_in(word) == number(charge.bucket)) {
      // The cell has less than was charged if the window was cleared or forgot meanwhile.
      const std::uint64_t given = std::min(cost, count_in(word));
      if (charged.compare_exchange_weak(word, word - given, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
  }

  // Counts `cost` in the running bucket even if it exceeds the limit.
  template <class ReadClock>
  void add(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    std::uint64_t bucket = bucket_of(now);
    for (;;) {
      Cell& running = cell(bucket);
      std::uint64_t word = running.load(std::memory_order_acquire);  // as in take()
      if (bucket_in(word) != number(bucket)) {
        if (!open(bucket, clock_now)) bucket = later_bucket(bucket, clock_now());
      } else if (word & kSealed) {
        bucket = later_bucket(bucket, clock_now());
      } else {
        const std::uint64_t added = std::min(cost, kWindowLimitMax - count_in(word));
        if (running.compare_exchange_weak(word, word + added, std::memory_order_acq_rel,
                                          std::memory_order_relaxed)) {
          return;
        }
      }
    }
  }

  // Forgets `cost` of the newest counts.
  void forget(std::uint64_t cost, std::uint64_t now) noexcept {
    const std::uint64_t bucket = bucket_of(now);
    for (std::uint64_t age = 0; age <= config_.buckets && cost != 0; ++age) {
      Cell& charged = cell(bucket - age);
      std::uint64_t word = charged.load(std::memory_order_relaxed);
      while (bucket_in(word) == number(bucket - age) && count_in(word) != 0) {
        const std::uint64_t given = std::min(cost, count_in(word));
        if (!charged.compare_exchange_weak(word, word - given, std::memory_order_relaxed,
                                           std::memory_order_relaxed)) {
          continue;
        }
        cost -= given;
        break;
      }
    }
  }

  bool empty(std::uint64_t now) const noexcept { return sum(bucket_of(now)) == 0; }

  // Changes to buckets of another length (as many) at time `now`. The requests of a bucket are assumed to have come at
  // its end, so nothing is forgotten too early. Called while no other thread is inside. `scratch` has room for
  // cells(buckets).
  void rebase(const SlidingWindowConfig& to, std::uint64_t now, std::uint64_t* scratch) noexcept {
    const std::uint64_t bucket = bucket_of(now);
    for (std::uint64_t age = 0; age <= config_.buckets; ++age) scratch[age] = count_of(bucket - age);
    SlidingWindow other(to, cells_);
    const std::uint64_t running = other.bucket_of(now);
    for (std::uint64_t age = 0; age <= to.buckets; ++age) {
      // All but the running one are sealed, so that a thread with an older time reads the clock again.
      other.cell(running - age)
          .store(word_of(running - age, age == 0 ? 0 : kSealed), std::memory_order_relaxed);
    }
    for (std::uint64_t age = 0; age <= config_.buckets; ++age) {
      if (scratch[age] == 0) continue;
      const std::uint64_t last = std::min(now, start_of(bucket - age + 1) - 1);
      const std::uint64_t into = other.bucket_of(last);
      if (running - into > to.buckets) continue;
      Cell& target = other.cell(into);
      const std::uint64_t word = target.load(std::memory_order_relaxed);
      target.store(word + std::min(scratch[age], kWindowLimitMax - count_in(word)),
                   std::memory_order_relaxed);
    }
  }
  // Sets all counts to 0. Buckets that are running or sealed stay so.
  void clear() noexcept {
    for (std::uint64_t i = 0; i < cells(config_.buckets); ++i) {
      cells_[i].fetch_and(~(kSealed - 1), std::memory_order_relaxed);
    }
  }

  std::uint64_t remaining(std::uint64_t now) const noexcept {
    const std::uint64_t used = sum(bucket_of(now));
    return used >= config_.limit ? 0 : config_.limit - used;
  }

  // Nanoseconds from `now` until take(cost) would pass if no other request took any; kNever if cost > limit.
  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    if (cost > config_.limit) return kNever;
    const std::uint64_t bucket = bucket_of(now);
    std::uint64_t used = sum(bucket);
    if (used + cost <= config_.limit) return 0;
    // Oldest first: a bucket leaves the window when the (n + 1)-th after it begins.
    std::uint64_t leaving = bucket - config_.buckets;
    for (; leaving < bucket; ++leaving) {
      used -= std::min(used, count_of(leaving));
      if (used + cost <= config_.limit) break;
    }
    return start_of(leaving + config_.buckets + 1) - now;
  }

 private:
  static constexpr int kCountBits = 30;
  static constexpr std::uint64_t kSealed = 1ULL << kCountBits;
  static constexpr std::uint64_t kNumberMask = (1ULL << 33) - 1;
  static constexpr std::uint64_t kOvertaken = ~0ULL;

  // Bucket numbers begin at n + 1: those before the first exist, and a zeroed cell belongs to none of them.
  std::uint64_t bucket_of(std::uint64_t now) const noexcept { return now / config_.bucket_ns + first(); }
  std::uint64_t start_of(std::uint64_t bucket) const noexcept {
    return (bucket - first()) * config_.bucket_ns;
  }
  std::uint64_t first() const noexcept { return config_.buckets + 1ULL; }
  static std::uint64_t number(std::uint64_t bucket) noexcept { return bucket & kNumberMask; }
  static std::uint64_t bucket_in(std::uint64_t word) noexcept { return word >> (kCountBits + 1); }
  static std::uint64_t count_in(std::uint64_t word) noexcept { return word & (kSealed - 1); }
  static std::uint64_t word_of(std::uint64_t bucket, std::uint64_t flags) noexcept {
    return (number(bucket) << (kCountBits + 1)) | flags;
  }
  Cell& cell(std::uint64_t bucket) const noexcept { return cells_[bucket % cells(config_.buckets)]; }

  std::uint64_t count_of(std::uint64_t bucket) const noexcept {
    const std::uint64_t word = cell(bucket).load(std::memory_order_relaxed);
    return bucket_in(word) == number(bucket) ? count_in(word) : 0;
  }
  std::uint64_t sum(std::uint64_t bucket) const noexcept {
    std::uint64_t total = 0;
    for (std::uint64_t age = 0; age <= config_.buckets; ++age) total += count_of(bucket - age);
    return total;
  }
  // Returns the sum of the n buckets before `bucket`; kOvertaken if one of their cells belongs to a later bucket. A
  // thread that opens a bucket n + 1 or more ahead overwrites these cells first: then the cell of `bucket` is still
  // open, but the older counts are gone.
  template <class ReadClock>
  std::uint64_t older_sum(std::uint64_t bucket, ReadClock&& clock_now) const noexcept {
    std::uint64_t total = 0;
    std::uint64_t at = bucket % cells(config_.buckets);  // stepped instead of divided for each cell
    for (std::uint64_t age = 1; age <= config_.buckets; ++age) {
      at = at == 0 ? config_.buckets : at - 1;
      const std::uint64_t word = cells_[at].load(std::memory_order_relaxed);
      if (bucket_in(word) == number(bucket - age)) {
        total += count_in(word);
      } else if (is_later(word, bucket - age, bucket, clock_now)) {
        return kOvertaken;
      }
    }
    return total;
  }

  std::uint64_t later_bucket(std::uint64_t bucket, std::uint64_t now) const noexcept {
    const std::uint64_t fresh = bucket_of(now);
    return fresh > bucket ? fresh : bucket + 1;
  }

  // How far the bucket in the cell is ahead of `bucket`; 0 if it is not. Numbers wrap around, so half of them
  // count as ahead.
  static std::uint64_t ahead(std::uint64_t word, std::uint64_t bucket) noexcept {
    const std::uint64_t distance = (bucket_in(word) - number(bucket)) & kNumberMask;
    return distance <= kNumberMask / 2 ? distance : 0;
  }

  // Whether the cell that `bucket` shares belongs to a later bucket, so that the time of this thread, which uses or
  // opens `running`, is out of date. A number far ahead may also date from before the numbers wrapped around; in that
  // case the clock, read after the cell, has not moved on. For a number near ahead the clock is not read: the clocks of
  // two processors may differ by a tick.
  template <class ReadClock>
  bool is_later(std::uint64_t word, std::uint64_t bucket, std::uint64_t running,
                ReadClock&& clock_now) const noexcept {
    if (ahead(word, bucket) == 0) return false;
    return ahead(word, running) <= 2 * cells(config_.buckets) || bucket_of(clock_now()) > running;
  }

  // Makes `bucket` the running one. False if a later one has been opened in one of the cells.
  template <class ReadClock>
  bool open(std::uint64_t bucket, ReadClock&& clock_now) noexcept {
    for (std::uint64_t age = config_.buckets; age >= 1; --age) {
      if (!seal(bucket - age, bucket, clock_now)) return false;
    }
    Cell& opened = cell(bucket);
    std::uint64_t word = opened.load(std::memory_order_relaxed);
    while (bucket_in(word) != number(bucket)) {
      if (is_later(word, bucket, bucket, clock_now)) return false;
      // REL cell: pairs with ACQ in take(): a thread that adds to this bucket sees the older ones sealed.
      if (opened.compare_exchange_weak(word, word_of(bucket, 0), std::memory_order_release,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return true;
  }

  // Seals `bucket`: nothing is added to it after this. False if its cell belongs to a later bucket.
  template <class ReadClock>
  bool seal(std::uint64_t bucket, std::uint64_t running, ReadClock&& clock_now) noexcept {
    Cell& sealed = cell(bucket);
    std::uint64_t word = sealed.load(std::memory_order_relaxed);
    for (;;) {
      const bool used = bucket_in(word) == number(bucket);
      if (used && (word & kSealed)) return true;
      if (is_later(word, bucket, running, clock_now)) return false;
      // ACQ_REL: ordered with the adders' CAS on the same word; published by the opener's REL.
      if (sealed.compare_exchange_weak(word, used ? word | kSealed : word_of(bucket, kSealed),
                                       std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  SlidingWindowConfig config_;
  Cell* cells_;
};

}  // namespace sluice

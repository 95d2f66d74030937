// A strict sliding window: no window of the given length, wherever it begins, admits more than the limit.
//
// Time is cut into buckets of window / n. The usual scheme counts n buckets, the running one among them. It admits up
// to twice its limit: all of it at the end of one bucket, and again at the start of the n-th bucket after that. This
// class counts n + 1 buckets, the running one and the n before it, and any window lies within these. In return, a
// request counts for up to window * (1 + 1/n), so steady throughput is up to 1/(n + 1) below the limit.
//
// One cell per bucket, n + 1 in a circle, each one word:  | bucket number : 33 | sealed : 1 | count : 30 |
//
// Threads add only to the cell of the running bucket. Before a thread opens a new bucket, it seals the cells of the n
// buckets before it. An add is a CAS that fails on a sealed cell. So if the CAS on the running cell succeeds, the older
// cells have not grown since their sum was checked: check and add are one step, without a lock. refund(), forget() and
// clear() may lower an older cell at any time; the check was then stricter than needed.
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
  std::uint64_t bucket_ns = 0;  // window / n, rounded up; bucket_ns * (n + 1) is at most 2^56 ns: two years
  std::uint32_t buckets = 0;    // n: 1 to kWindowBucketsMax
};

class SlidingWindow {
 public:
  using Cell = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t cells(std::uint32_t buckets) { return buckets + 1ULL; }

  // `cells` points to cells(config.buckets) zeroed words.
  SlidingWindow(const SlidingWindowConfig& config, Cell* cells) : config_(config), cells_(cells) {}

  // What take() returns: the bucket, which refund() needs, and whether it was charged.
  struct Charge {
    std::uint64_t bucket;
    bool taken;
  };

  // Counts `cost` at time `now` (ns since the limiter's epoch), or counts nothing. `clock_now` reads the clock anew
  // and is called only if another thread seems to have opened a later bucket.
  template <class ReadClock>
  Charge take(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    std::uint64_t bucket = bucket_of(now);
    if (cost > config_.limit) return {bucket, false};  // so the sum below cannot overflow
    for (;;) {
      Cell& running = cell(bucket);
      // ACQ cell: pairs with REL in open() and seal(). This thread then sees that the older cells are sealed.
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
      // Relaxed would be enough for the count; ACQ/REL keeps the loads of the sum before the add.
      if (running.compare_exchange_weak(word, word + cost, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
        return {bucket, true};
      }
    }
  }

  // Undoes a take(), however late. Cannot fail: a bucket that has left the window needs no refund.
  void refund(const Charge& charge, std::uint64_t cost, std::uint64_t now) noexcept {
    const std::uint64_t running = bucket_of(now);
    // Compares whole bucket numbers, because a cell has only 33 bits of a number, and these repeat.
    if (running > charge.bucket && running - charge.bucket > config_.buckets) return;
    Cell& charged = cell(charge.bucket);
    std::uint64_t word = charged.load(std::memory_order_relaxed);
    while (bucket_in(word) == number(charge.bucket)) {
      // The cell has less than was charged if clear() or forget() was called since.
      const std::uint64_t given = std::min(cost, count_in(word));
      if (charged.compare_exchange_weak(word, word - given, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
  }

  // Counts `cost` in the running bucket even if the sum then exceeds the limit, but never more than kWindowLimitMax in
  // it.
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

  // Takes up to `cost` off the counts, from the newest bucket on.
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

  // Changes to as many buckets of another length, at time `now`. The requests of a bucket are assumed to have come at
  // its end, or at `now` if that is earlier, so nothing is forgotten too early. Called while no other thread is inside
  // an operation. `scratch` has room for cells(buckets) words.
  void rebase(const SlidingWindowConfig& to, std::uint64_t now, std::uint64_t* scratch) noexcept {
    const std::uint64_t bucket = bucket_of(now);
    for (std::uint64_t age = 0; age <= config_.buckets; ++age) scratch[age] = count_of(bucket - age);
    SlidingWindow other(to, cells_);
    const std::uint64_t running = other.bucket_of(now);
    for (std::uint64_t age = 0; age <= to.buckets; ++age) {
      // All buckets but the running one are sealed, so that a thread with an older time reads the clock again.
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
  // Sets all counts to 0. The running bucket keeps running, and sealed buckets stay sealed.
  void clear() noexcept {
    for (std::uint64_t i = 0; i < cells(config_.buckets); ++i) {
      cells_[i].fetch_and(~(kSealed - 1), std::memory_order_relaxed);
    }
  }

  std::uint64_t remaining(std::uint64_t now) const noexcept {
    const std::uint64_t used = sum(bucket_of(now));
    return used >= config_.limit ? 0 : config_.limit - used;
  }

  // Returns the nanoseconds from `now` until take(cost) passes if no other request is counted; kNever if cost > limit.
  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    if (cost > config_.limit) return kNever;
    const std::uint64_t bucket = bucket_of(now);
    std::uint64_t used = sum(bucket);
    if (used + cost <= config_.limit) return 0;
    // The oldest bucket comes first. A bucket leaves the window when the (n + 1)-th bucket after it begins.
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

  // Bucket numbers begin at n + 1, so that the n buckets before the first have numbers from 1 on. A zeroed cell has the
  // number 0, and so belongs to none of them.
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
  // Returns the sum of the n buckets before `bucket`; kOvertaken if one of their cells belongs to a later bucket. This
  // matters while another thread opens a bucket that is n + 1 or more ahead: it overwrites these cells first. The cell
  // of `bucket` is then still open, but the older counts are gone.
  template <class ReadClock>
  std::uint64_t older_sum(std::uint64_t bucket, ReadClock&& clock_now) const noexcept {
    std::uint64_t total = 0;
    std::uint64_t at = bucket % cells(config_.buckets);  // stepped, which needs no division for each cell
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

  // Returns how far the bucket in the cell's word is ahead of `bucket`; 0 if it is not ahead. Numbers wrap around, so
  // half of all distances count as ahead.
  static std::uint64_t ahead(std::uint64_t word, std::uint64_t bucket) noexcept {
    const std::uint64_t distance = (bucket_in(word) - number(bucket)) & kNumberMask;
    return distance <= kNumberMask / 2 ? distance : 0;
  }

  // Whether the cell of `bucket`, which contains `word`, belongs to a later bucket. Then the time of this thread, which
  // uses or opens the bucket `running`, is out of date. A number that is far ahead may also be left from before the
  // numbers wrapped around. In that case the clock, read after the cell, is not past `running`. If the number is only a
  // little ahead, the clock is not read, because the clocks of two processors may differ by a tick.
  template <class ReadClock>
  bool is_later(std::uint64_t word, std::uint64_t bucket, std::uint64_t running,
                ReadClock&& clock_now) const noexcept {
    if (ahead(word, bucket) == 0) return false;
    return ahead(word, running) <= 2 * cells(config_.buckets) || bucket_of(clock_now()) > running;
  }

  // Makes `bucket` the running one. Returns false if one of the cells belongs to a later bucket.
  template <class ReadClock>
  bool open(std::uint64_t bucket, ReadClock&& clock_now) noexcept {
    for (std::uint64_t age = config_.buckets; age >= 1; --age) {
      if (!seal(bucket - age, bucket, clock_now)) return false;
    }
    Cell& opened = cell(bucket);
    std::uint64_t word = opened.load(std::memory_order_relaxed);
    while (bucket_in(word) != number(bucket)) {
      if (is_later(word, bucket, bucket, clock_now)) return false;
      // REL cell: pairs with ACQ in take(). A thread that adds to this bucket sees that the older ones are sealed.
      if (opened.compare_exchange_weak(word, word_of(bucket, 0), std::memory_order_release,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return true;
  }

  // Seals `bucket`, so that no thread adds to it any more. Returns false if its cell belongs to a later bucket.
  template <class ReadClock>
  bool seal(std::uint64_t bucket, std::uint64_t running, ReadClock&& clock_now) noexcept {
    Cell& sealed = cell(bucket);
    std::uint64_t word = sealed.load(std::memory_order_relaxed);
    for (;;) {
      const bool used = bucket_in(word) == number(bucket);
      if (used && (word & kSealed)) return true;
      if (is_later(word, bucket, running, clock_now)) return false;
      // ACQ_REL: orders this after the CAS of threads that added to the same word. The REL in open() publishes it.
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

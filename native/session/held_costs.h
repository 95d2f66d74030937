// The depth that one session's decisions hold in flight, by key: a hash table in the session's own memory. It grows and
// shrinks with the number of keys, which has no bound, so it cannot be in the limiter's segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/base/key_hash.h"
#include "session/limiter_host.h"

namespace sluice {

class HeldCosts {
 public:
  explicit HeldCosts(LimiterHost& host) noexcept : host_(host) {}
  // Frees the table, unless give_all() has done so: then the host may be gone.
  ~HeldCosts() {
    if (places_ != nullptr) host_.free(places_);
  }
  HeldCosts(const HeldCosts&) = delete;
  HeldCosts& operator=(const HeldCosts&) = delete;

  // Adds `cost` held for `key`, or without a key. False, and nothing is changed, if there is no memory for it.
  bool add(const Key* key, std::uint64_t cost) noexcept {
    if (key == nullptr) {
      keyless_ += cost;
      return true;
    }
    // At least half of the places stay free, so that searches end soon.
    if (2 * (used_ + 1) > size_ && !resize(size_ == 0 ? kLeast : 2 * size_)) return false;
    Place& place = places_[find(*key)];
    if (place.key == Key{}) {
      place.key = *key;
      ++used_;
    }
    place.cost += cost;
    return true;
  }

  // Subtracts `cost`; if less was held, nothing is held any more.
  void remove(const Key* key, std::uint64_t cost) noexcept {
    if (key == nullptr) {
      keyless_ -= cost < keyless_ ? cost : keyless_;
      return;
    }
    if (used_ == 0) return;
    const std::size_t at = find(*key);
    Place& place = places_[at];
    if (place.cost > cost) {
      place.cost -= cost;
    } else if (place.key != Key{}) {
      erase(at);
      // If there is no memory for a smaller table, the larger one stays.
      if (size_ > kLeast && 8 * used_ < size_) resize(size_ / 2);
    }
  }

  // Calls each(key or nullptr, cost) for all that is held. Afterwards nothing is held.
  template <class Each>
  void give_all(Each&& each) noexcept {
    if (keyless_ != 0) each(static_cast<const Key*>(nullptr), keyless_);
    keyless_ = 0;
    for (std::size_t at = 0; at < size_; ++at) {
      if (places_[at].key != Key{}) each(static_cast<const Key*>(&places_[at].key), places_[at].cost);
    }
    host_.free(std::exchange(places_, nullptr));
    size_ = used_ = 0;
  }

  std::size_t keys() const noexcept { return used_; }

 private:
  static constexpr std::size_t kLeast = 16;
  struct Place {
    Key key;  // {}: free
    std::uint64_t cost;
  };

  std::size_t home(const Key& key) const noexcept { return key.low & (size_ - 1); }
  // Returns the place of the key, or the free one for it.
  std::size_t find(const Key& key) const noexcept {
    std::size_t at = home(key);
    while (places_[at].key != key && places_[at].key != Key{}) at = (at + 1) & (size_ - 1);
    return at;
  }
  // Empties a place. Entries behind it move into the gap, except those whose home lies behind the gap.
  void erase(std::size_t gap) noexcept {
    for (std::size_t at = (gap + 1) & (size_ - 1); places_[at].key != Key{}; at = (at + 1) & (size_ - 1)) {
      const std::size_t from_home = (at - home(places_[at].key)) & (size_ - 1);
      if (from_home < ((at - gap) & (size_ - 1))) continue;
      places_[gap] = places_[at];
      gap = at;
    }
    places_[gap] = {};
    --used_;
  }
  // Changes the number of places to `size`, a power of two. False, and nothing is changed, if there is no memory.
  bool resize(std::size_t size) noexcept {
    auto* places = static_cast<Place*>(host_.allocate(size * sizeof(Place)));
    if (places == nullptr) return false;
    for (std::size_t i = 0; i < size; ++i) places[i] = {};
    Place* old = std::exchange(places_, places);
    const std::size_t old_size = std::exchange(size_, size);
    for (std::size_t i = 0; i < old_size; ++i) {
      if (old[i].key != Key{}) places_[find(old[i].key)] = old[i];
    }
    host_.free(old);
    return true;
  }

  LimiterHost& host_;
  Place* places_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
  std::uint64_t keyless_ = 0;
};

}  // namespace sluice

// The process-wide table of shared objects by their handles. A handle is {id, token} and survives structured clone. The
// token keeps a stale or invented handle from reaching an object for which it was not made.
//
// The registry holds weak references: an object lives as long as a thread has it attached, or another object uses it
// (as a gate uses its queue). The registry is never destroyed, because threads may end after the static objects of the
// process.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "addon/random.h"

namespace sluice {

enum class ObjectKind : std::uint8_t { kQueue, kLimiter, kStock, kGate, kClock };

// The part of one object that the threads of the process share outside its segment.
struct SharedObject {
  explicit SharedObject(ObjectKind kind) : kind(kind) {}
  virtual ~SharedObject() = default;
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  const ObjectKind kind;
  std::uint64_t id = 0;
  std::uint64_t token = 0;
};

class Registry {
 public:
  static Registry& instance() {
    static auto* registry = new Registry();
    return *registry;
  }

  void add(const std::shared_ptr<SharedObject>& object) {
    const std::lock_guard<std::mutex> guard(mutex_);
    object->id = ++last_id_;
    object->token = random_word();
    objects_[object->id] = object;
    if (objects_.size() < 2 * kept_ + 64) return;
    // Forgets dead objects, whenever there may be as many of them as live ones.
    std::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
    kept_ = objects_.size();
  }

  // Returns nullptr if the handle is unknown or of another kind, or its object is gone.
  template <class Object>
  std::shared_ptr<Object> find(ObjectKind kind, std::uint64_t id, std::uint64_t token) {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return nullptr;
    std::shared_ptr<SharedObject> object = found->second.lock();
    if (object == nullptr) {
      objects_.erase(found);
      return nullptr;
    }
    if (object->kind != kind || object->token != token) return nullptr;
    return std::static_pointer_cast<Object>(object);
  }

  // Returns a number that no other attachment or environment of this process has: 1, 2, ...
  std::uint64_t next_number() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return ++last_number_;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::weak_ptr<SharedObject>> objects_;
  std::size_t kept_ = 0;  // how many entries were left when dead ones were last forgotten
  std::uint64_t last_id_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace sluice

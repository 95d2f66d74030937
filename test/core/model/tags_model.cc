// The tags beside the slots of a queue under Relacy. Usage and exit codes as in queue_model.cc.
#include <cstring>

#include "core/queue/slot_tags.h"
#include "explore.h"

namespace sluice::model {

// The tags of two slots. Each is an atomic word, which is zero at first as in a new segment, and a plain word behind
// it.
class TagsModel {
 public:
  using Tags = SlotTags<RelacyAtomics>;

  TagsModel() : tags(*new (control_) TagControl<RelacyAtomics>, memory_, kBytes) {
    control().used.store(0, std::memory_order_relaxed);
    control().carried.store(0, std::memory_order_relaxed);
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      (new (&word(slot)) Tags::Word)->store(0, std::memory_order_relaxed);
      new (&rest(slot)) PlainWord;
    }
  }
  ~TagsModel() {
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      std::destroy_at(&word(slot));
      std::destroy_at(&rest(slot));
    }
    std::destroy_at(&control());
  }

  static constexpr std::uint64_t kSlots = 2;

  // Writes a tag that no other thread reads yet.
  void put(std::uint64_t slot, std::uint64_t number) {
    word(slot).store(number, std::memory_order_relaxed);
    write_rest(slot, 2 * number);
  }
  void write_rest(std::uint64_t slot, std::uint64_t value) {
    RelacyAtomics::write_bytes(&rest(slot), &value, sizeof value);
  }
  static std::uint64_t number_of(const Tag& tag) {
    std::uint64_t words[2];
    std::memcpy(words, tag.bytes, sizeof words);
    require(words[1] == 2 * words[0], "a tag is taken whole");
    return words[0];
  }

  Tags tags;

 private:
  static constexpr std::uint64_t kBytes = sizeof(Tags::Word) + sizeof(PlainWord);

  TagControl<RelacyAtomics>& control() {
    return *std::launder(reinterpret_cast<TagControl<RelacyAtomics>*>(control_));
  }
  Tags::Word& word(std::uint64_t slot) { return *reinterpret_cast<Tags::Word*>(memory_ + slot * kBytes); }
  PlainWord& rest(std::uint64_t slot) {
    return *reinterpret_cast<PlainWord*>(memory_ + slot * kBytes + sizeof(Tags::Word));
  }

  alignas(kCacheLine) static inline std::byte control_[sizeof(TagControl<RelacyAtomics>)];
  alignas(kCacheLine) static inline std::byte memory_[kSlots * kBytes];
};

// A user of the tags writes two of them and ends, while another thread drops the records of both. A second user begins
// when the first has ended.
struct UserEnds : rl::test_suite<UserEnds, 3> {
  TagsModel model;
  Atomic<std::uint32_t> stamp{0};
  PlainWord returns;  // the sum of the tags given back to the first user; reset when it has ended
  std::uint64_t taken = 0, given_back = 0;

  void thread(unsigned index) {
    if (index == 0) {
      use_and_end();
    } else if (index == 1) {
      while (stamp.load(std::memory_order_acquire) == 0) RelacyAtomics::pause();
      for (std::uint64_t slot = TagsModel::kSlots; slot-- > 0;) drop(slot);
    } else {
      while (stamp.load(std::memory_order_relaxed) == 0) RelacyAtomics::pause();
      while (!model.tags.begin()) RelacyAtomics::pause();
      for (std::uint64_t slot = 0; slot < TagsModel::kSlots; ++slot) model.write_rest(slot, 0);
    }
  }
  void after() { require(taken + given_back == 3 + 5, "each tag is taken once, by one of the two"); }

 private:
  void use_and_end() {
    const Site here = Site::current();
    require(model.tags.begin(), "the tags had no user");
    returns(info(here)).store(0);
    model.put(0, 3);
    model.put(1, 5);
    stamp.store(1, std::memory_order_release);
    Tag tag;
    for (std::uint64_t slot = 0; slot < TagsModel::kSlots; ++slot) {
      if (model.tags.take_left(slot, tag)) taken += TagsModel::number_of(tag);
    }
    model.tags.end();
    given_back = returns(info(here)).load();
    returns(info(here)).store(0);
  }
  void drop(std::uint64_t slot) {
    const Site here = Site::current();
    Tag tag;
    if (!model.tags.take(slot, tag)) return;
    returns(info(here)).store(returns(info(here)).load() + TagsModel::number_of(tag));
    model.tags.given_back();
  }
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  explore<UserEnds>("a user of tags ends while their records are dropped",
                    executions_wanted(count, arguments));
}

// Quiesce under Relacy: operations of two threads, and two readers that must see the tables between operations.
// Usage and exit codes as in queue_model.cc.
#include "core/base/quiesce.h"
#include "explore.h"

namespace sluice::model {

struct ModelLine {
  Atomic<std::uint32_t> inside{0};
};

struct PauseOperations : rl::test_suite<PauseOperations, 4> {
  using ModelQuiesce = Quiesce<RelacyAtomics>;

  PauseOperations() : quiesce(new (memory_) ModelQuiesce) {}
  ~PauseOperations() { std::destroy_at(quiesce); }

  void thread(unsigned index) {
    const Site here = Site::current();
    if (index < 2) {
      for (std::uint64_t i = 1; i <= 2; ++i) {
        quiesce->enter(lines[index]);
        // Changes two words, which are equal between operations.
        first[index](info(here)).store(i);
        RelacyAtomics::pause();
        second[index](info(here)).store(i);
        quiesce->leave(lines[index]);
      }
    } else {
      quiesce->pause(lines);
      for (int i = 0; i < 2; ++i) {
        require(first[i](info(here)).load() == second[i](info(here)).load(),
                "no operation is seen half done");
      }
      // A plain word, because only one reader at a time has paused the operations.
      readers(info(here)).store(readers(info(here)).load() + 1);
      quiesce->resume();
    }
  }
  void after() { require(readers(info(Site::current())).load() == 2, "both readers had their turn"); }

  ModelQuiesce* quiesce;
  ModelLine lines[2];
  PlainWord first[2] = {0, 0}, second[2] = {0, 0}, readers{0};

 private:
  alignas(kCacheLine) static inline std::byte memory_[sizeof(ModelQuiesce)];
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  explore<PauseOperations>("readers pause the operations of two threads",
                           executions_wanted(count, arguments));
}

// Lists of news for the owners of a limiter's waiters: which of their waiters were served, have expired, or have come
// to the front.
//
// An owner has a list while one of its waiters has a place. So as many lists as places are enough, however many owners
// there are, and no owner steps through the entries of another one. Every call except format() is made under the lock
// of the waiters.
#pragma once

#include <cstdint>

#include "core/limiter/limiter_waiting.h"

namespace sluice {

class OwnerLists : public LimiterWaiting {
 public:
  OwnerLists(Control& control, const Places& places, OwnerList* lists) noexcept
      : control_(&control), places_(places), lists_(lists) {}

  void format() noexcept {
    const std::uint32_t max = places_.max();
    control_->free_lists = max == 0 ? 0 : 1;
    for (std::uint32_t i = 0; i < max; ++i) lists_[i].next = i + 1 == max ? 0 : i + 2;
  }

  // add() is called when the waiter's place was just taken; remove() when it is about to be released.
  void add(Owner& owner, Waiter& waiter) noexcept {
    if (!has_list(owner)) take_list(owner);
    waiter.list = owner.list;
    waiter.listed = false;
    ++lists_[waiter.list].waiters;
  }
  void remove(Waiter& waiter) noexcept {
    if (waiter.listed) unlist(waiter);
    OwnerList& list = lists_[waiter.list];
    if (--list.waiters != 0) return;
    list.owner = 0;
    list.next = control_->free_lists;
    control_->free_lists = waiter.list + 1;
  }

  // Puts the waiter into its owner's list, if it is not there yet, and adds the owner to `woken`.
  void notify(Waiter& waiter, Woken& woken) noexcept {
    woken.add(waiter.owner);
    if (waiter.listed) return;
    waiter.listed = true;
    places_.append<&Waiter::notice>(lists_[waiter.list].notices, waiter);
  }
  // Takes the first waiter out of the owner's list, and returns it; nullptr: the list is empty.
  Waiter* next_of(const Owner& owner) noexcept {
    if (!has_list(owner)) return nullptr;
    Waiter* waiter = places_.front(lists_[owner.list].notices);
    if (waiter != nullptr) unlist(*waiter);
    return waiter;
  }

  // Adds to `woken` the owners whose lists are not empty, from list `from` on, as many as fit. Returns the list at
  // which the next call goes on; if that is the number of lists, there are no more.
  std::uint32_t collect(Woken& woken, std::uint32_t from) const noexcept {
    for (; from < places_.max() && !woken.full(); ++from) {
      if (lists_[from].owner != 0 && !lists_[from].notices.empty()) woken.add(lists_[from].owner);
    }
    return from;
  }

 private:
  bool has_list(const Owner& owner) const noexcept {
    return owner.list != kNone && lists_[owner.list].owner == owner.number;
  }
  void take_list(Owner& owner) noexcept {
    owner.list = control_->free_lists - 1;
    OwnerList& list = lists_[owner.list];
    control_->free_lists = list.next;
    list = {owner.number, {}, 0, 0};
  }
  void unlist(Waiter& waiter) noexcept {
    places_.remove<&Waiter::notice>(lists_[waiter.list].notices, waiter);
    waiter.listed = false;
  }

  Control* control_;
  Places places_;
  OwnerList* lists_;
};

}  // namespace sluice

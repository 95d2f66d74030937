// The sizes of the structs in segments, which are the same on every machine, because native code and WebAssembly work
// on the same segment. A change here is a change of the layout: raise kLayoutVersion. scripts/wasm-check.js also
// compares the members' offsets between 64-bit native code and WebAssembly.
#pragma once

#include "core/base/segment.h"
#include "core/gate/gate_memory.h"
#include "core/gate/in_flight_table.h"
#include "core/limiter/limiter.h"
#include "core/limiter/limiter_segment.h"
#include "core/limiter/limiter_waiters.h"
#include "core/queue/queue.h"
#include "core/queue/queue_watch.h"
#include "core/stock/stock_ledger.h"
#include "session/queue_cell.h"

namespace sluice::test {

static_assert(sizeof(SegmentHeader) == 40);
static_assert(sizeof(ThreadSlot) == 128);
static_assert(sizeof(ThreadSlots) == 32768);
static_assert(sizeof(SpinLock<>) == 4);
static_assert(sizeof(Quiesce<>) == 128);
static_assert(sizeof(FreeList<>::Control) == 256);
static_assert(sizeof(Histogram) == 15376);
static_assert(sizeof(KeySecret) == 16);
static_assert(sizeof(Key) == 16);
static_assert(sizeof(QueueShape) == 104);
static_assert(sizeof(QueueControl) == 16128);
static_assert(sizeof(RingControl<StdAtomics>) == 384);
static_assert(sizeof(RingSlot<StdAtomics>) == 8);
static_assert(sizeof(Doorbell<>) == 128);
static_assert(sizeof(LaneOrder) == 32);
static_assert(sizeof(Shedding) == 24);
static_assert(sizeof(WaiterControl<>) == 12);
static_assert(sizeof(WaiterPlace<>) == 12);
static_assert(sizeof(RoomWaiter<StdAtomics>) == 32);
static_assert(sizeof(RoomWaiters<>::Control) == 128);
static_assert(sizeof(QueueWatch::Control) == 640);
static_assert(sizeof(LimiterConfig) == 352);
static_assert(sizeof(LimiterControl) == 1152);
static_assert(sizeof(KeyState) == 64);
static_assert(sizeof(TokenBucket) == 16);
static_assert(sizeof(DepthGate) == 8);
static_assert(sizeof(StateLine) == 32);
static_assert(sizeof(WindowLog::Head) == 16);
static_assert(8 == sizeof(SlidingWindow::Cell) && 8 == sizeof(CalendarWindow::Cell));
static_assert(sizeof(CalendarMemory) == 112);
static_assert(sizeof(ZoneChange) == 16);
static_assert(sizeof(KeyTable::Set) == 384);
static_assert(sizeof(GuestRing::Control) == 128);
static_assert(sizeof(GuestRing::Entry) == 24);
static_assert(sizeof(LimiterWaiting::Control) == 128);
static_assert(sizeof(LimiterWaiting::Waiter) == 128);
static_assert(sizeof(LimiterWaiting::OwnerList) == 24);
static_assert(sizeof(LimiterNotes) == 272);
static_assert(sizeof(LedgerShape) == 20);
static_assert(sizeof(LedgerControl) == 512);
static_assert(sizeof(ItemTable<>::Control) == 128);
static_assert(sizeof(Item<>) == 128);
static_assert(sizeof(StockShard<>) == 128);
static_assert(sizeof(UserTable<>::Control) == 128);
static_assert(sizeof(UserTable<>::Bucket) == 128);
static_assert(sizeof(IdTable::Bucket) == 640);
static_assert(sizeof(Reservation) == 128);
static_assert(sizeof(MovementLog<>::Control) == 128);
static_assert(sizeof(MovementLog<>::Entry) == 128);
static_assert(sizeof(GroupTable::Control) == 128);
static_assert(sizeof(GroupTable::Group) == 384);
static_assert(sizeof(GroupTable::UserLock) == 128);
static_assert(sizeof(GateShape) == 64);
static_assert(sizeof(GateControl) == 128);
static_assert(sizeof(InFlightTable::Control) == 256);
static_assert(sizeof(InFlightTable::Entry) == 64);
static_assert(sizeof(AdmittedOrder) == 32);
static_assert(sizeof(QueueState) == 8);
static_assert(sizeof(QueueCell) == 128);

}  // namespace sluice::test

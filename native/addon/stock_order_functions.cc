// The functions of a stock ledger that act on a reservation.
#include "addon/stock_functions.h"

namespace sluice {

namespace {

constexpr HotFunction<functions::kStock> kOrderFunctions[] = {
    {"confirm", kCall<&StockCalls::confirm>},         {"cancel", kCall<&StockCalls::cancel>},
    {"extend", kCall<&StockCalls::extend>},           {"confirmPart", kCall<&StockCalls::confirm_part>},
    {"cancelPart", kCall<&StockCalls::cancel_part>},  {"giveBack", kCall<&StockCalls::give_back>},
    {"giveBackOf", kCall<&StockCalls::give_back_of>}, {"change", kCall<&StockCalls::change>},
};

}  // namespace

std::span<const HotFunction<functions::kStock>> order_functions() { return kOrderFunctions; }

}  // namespace sluice

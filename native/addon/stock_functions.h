// The functions of a stock ledger, as JavaScript calls them.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <span>

#include "addon/hot_function.h"
#include "addon/stock_attachment.h"

namespace sluice {

// Calls a function of StockCalls: f(), f(number) or f(number, number). A missing argument is 0.
template <auto Method>
struct StockCall;
template <class Answer, Answer (StockCalls::*Method)() noexcept>
struct StockCall<Method> {
  static napi_value call(napi_env env, napi_callback_info info) {
    auto& self = attachment<StockAttachment>(env, info);
    return number(env, self.detached() ? Answer{kDisposed} : (self.calls().*Method)());
  }
};
template <std::int32_t (StockCalls::*Method)(std::uint32_t) noexcept>
struct StockCall<Method> {
  static napi_value call(napi_env env, napi_callback_info info) {
    std::uint32_t given[1];
    auto& self = attachment<StockAttachment>(env, info, given);
    return number(env, self.detached() ? kDisposed : (self.calls().*Method)(given[0]));
  }
};
template <std::int32_t (StockCalls::*Method)(std::uint32_t, std::uint32_t) noexcept>
struct StockCall<Method> {
  static napi_value call(napi_env env, napi_callback_info info) {
    std::uint32_t given[2];
    auto& self = attachment<StockAttachment>(env, info, given);
    return number(env, self.detached() ? kDisposed : (self.calls().*Method)(given[0], given[1]));
  }
};
template <auto Method>
constexpr napi_callback kCall = StockCall<Method>::call;

// The functions that act on a reservation. They have a file of their own, which is small enough for the compiler to
// inline what they call.
std::span<const HotFunction<functions::kStock>> order_functions();
// The functions that look for reservations.
std::span<const HotFunction<functions::kStock>> listing_functions();

}  // namespace sluice

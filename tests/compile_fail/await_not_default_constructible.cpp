// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: awaiting a result needs a default-constructible type

#include <coproc/pool.hpp>

#include <tuple>

class price {
public:
    explicit price(int cents) : cents_{cents} {}
    auto members() const { return std::tuple{cents_}; }

private:
    int cents_;
};

boost::asio::awaitable<void> buy(coproc::pool& pool) {
    auto h = pool.apply_async([] { return price{1}; });
    co_await std::move(h);
}

// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/spare_storage.hpp>

#include "support/catch.hpp"

#include <coproc/codec.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using coproc::detail::keep_at_end;
using coproc::detail::large_value;
using coproc::detail::spare_storage;
using coproc::detail::steady;
using bytes = std::vector<std::uint8_t>;
using numbers = std::vector<std::int32_t>;

constexpr std::size_t many = large_value;

template <class T>
T round_trip(const T& value) {
    return coproc::detail::from_bytes<T>(coproc::detail::to_bytes(value));
}

} // namespace

TEST_CASE("spare storage: what was kept serves the next value of its type that fits") {
    const spare_storage::permission allowed;
    bytes first(many, 1);
    const auto* const where = first.data();
    spare_storage::keep(first);
    CHECK(first.empty()); // NOLINT(bugprone-use-after-move)
    CHECK(spare_storage::take<numbers>(many / 4).capacity() == 0);   // another type
    CHECK(spare_storage::take<bytes>(many + 1).capacity() == 0);     // too much
    CHECK(spare_storage::take<bytes>(many / 2 - 1).capacity() == 0); // it would waste memory
    const auto second = spare_storage::take<bytes>(many - 1);
    CHECK(second.empty());
    CHECK(second.data() == where);
    CHECK(spare_storage::take<bytes>(many).capacity() == 0); // it is gone
}

TEST_CASE("spare storage: nothing is kept without permission, or behind it, or on other threads") {
    bytes value(many, 1);
    spare_storage::keep(value);
    CHECK(value.size() == many);
    {
        const spare_storage::permission allowed;
        {
            const spare_storage::permission nested;
            spare_storage::keep(value);
        }
        std::thread{[] { CHECK(spare_storage::take<bytes>(many).capacity() == 0); }}.join();
    }
    CHECK(spare_storage::take<bytes>(many).capacity() == 0);
}

TEST_CASE("spare storage: small values and those whose elements live are left alone") {
    const spare_storage::permission allowed;
    bytes small(many - 1);
    spare_storage::keep(small);
    CHECK(small.size() == many - 1);
    std::vector<std::string> words(many / sizeof(std::string) + 1, "word");
    spare_storage::keep(words);
    CHECK(words.back() == "word");
    int no_container = 3;
    spare_storage::keep(no_container);
    CHECK(no_container == 3);
}

TEST_CASE("spare storage: the last one is kept, at the end of a scope too, until it is old") {
    const spare_storage::permission allowed;
    bytes first(many);
    numbers second(many / 4);
    {
        const keep_at_end one{first};
        const keep_at_end two{second}; // ends first
    }
    CHECK(spare_storage::take<numbers>(many / 4).capacity() == 0);
    spare_storage::drop_old(steady::now());
    auto again = spare_storage::take<bytes>(many);
    CHECK(again.capacity() == many);
    spare_storage::keep(again);
    spare_storage::drop_old(steady::now() + std::chrono::seconds{2});
    CHECK(spare_storage::take<bytes>(many).capacity() == 0);
}

TEST_CASE("spare storage: a decoded value has nothing of what was there before") {
    const spare_storage::permission allowed;
    for (const std::size_t count : {many, many / 2 + 1, many + 7, many / 4}) {
        numbers sent(count);
        std::iota(sent.begin(), sent.end(), static_cast<std::int32_t>(count));
        const auto arrived = round_trip(sent);
        CHECK(arrived == sent);
        numbers old(many, -1);
        spare_storage::keep(old);
        CHECK(round_trip(sent) == sent);
    }
}

TEST_CASE("spare storage: nor has one that lies askew, and whose elements have no default") {
    using last_days = std::vector<std::chrono::month_day_last>;
    static_assert(!std::default_initializable<std::chrono::month_day_last>);
    const spare_storage::permission allowed;
    const last_days sent(many, std::chrono::month_day_last{std::chrono::May});
    last_days old(many, std::chrono::month_day_last{std::chrono::July});
    spare_storage::keep(old);
    const auto askew = round_trip(std::pair{'x', sent});
    CHECK(askew.second.size() == sent.size());
    CHECK(askew.second == sent);
}

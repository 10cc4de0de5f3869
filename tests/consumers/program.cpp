// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A user's program: a map, awaited in a coroutine.

#include <coproc/coproc.hpp>

#include <boost/asio.hpp>

#include <iostream>
#include <vector>

namespace asio = boost::asio;

int square(int x) { return x * x; }

asio::awaitable<void> squares(coproc::pool& pool) {
    const std::vector<int> inputs{1, 2, 3, 4};
    const std::vector<int> results = co_await pool.map_async(square, inputs);
    for (int result : results)
        std::cout << result << ' ';
    std::cout << std::endl;
}

int main(int argc, char** argv) {
    coproc::runtime runtime{argc, argv};
    coproc::pool pool{2};
    asio::io_context context;
    asio::co_spawn(context, squares(pool), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
    });
    context.run();
}

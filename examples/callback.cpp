// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Not waiting at all: the library calls back, on a thread of its own or on an executor of yours.

#include <coproc/coproc.hpp>

#include <boost/asio/io_context.hpp>

#include <cmath>
#include <iostream>
#include <stdexcept>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

double root(double x) {
    if (x < 0) throw std::domain_error{"no root of a negative number"};
    return std::sqrt(x);
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    // Callbacks shall run here, in io.run(), so they need no lock.
    boost::asio::io_context io;
    mp::pool pool{mp::pool_options{.workers = 2, .callback_executor = io.get_executor()}};

    const auto on_value = [](const double& value) { std::cout << "the root is " << value << '\n'; };
    const auto on_error = [](std::exception_ptr error) {
        try {
            std::rethrow_exception(error);
        } catch (const std::domain_error& e) {
            std::cout << "failed: " << e.what() << '\n';
        }
    };
    const auto first = pool.apply_async(root, 1764.0).then(on_value, on_error);
    first.wait();
    const auto second = pool.apply_async(root, -1.0).then(on_value, on_error);
    second.wait();

    std::cout << "now the callbacks:\n";
    io.run();
}

// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// An exception in a worker is not lost: it comes back, as what it was, with the place it comes
// from.

#include <coproc/coproc.hpp>

#include <future>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

struct no_stock : std::runtime_error {
    using std::runtime_error::runtime_error;
};

int price(int article) {
    if (article == 7) throw std::out_of_range{"there is no article 7"};
    if (article == 8) throw no_stock{"article 8 is sold out"};
    return 100 + article;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    // Standard types arrive as themselves, and say also which item it was.
    try {
        pool.with({.label = "price list"}).map(price, {5, 6, 7});
    } catch (const std::out_of_range& e) {
        std::cout << "out_of_range: " << e.what() << '\n';
        if (const auto* where = dynamic_cast<const mp::task_failure*>(&e))
            std::cout << "item " << where->index() << " of '" << where->label() << "'\n";
    }

    // Types of your own arrive as a remote_error with their name, or as themselves once they are
    // known.
    try {
        pool.apply(price, 8);
    } catch (const mp::remote_error& e) {
        std::cout << e.type_name() << ", from afar: " << e.what() << '\n';
    } catch (const no_stock& e) {
        std::cout << "no_stock, from a thread: " << e.what() << '\n';
    }
    mp::register_exception<no_stock>();
    try {
        pool.apply(price, 8);
    } catch (const no_stock& e) {
        std::cout << "no_stock, itself: " << e.what() << '\n';
    }

    // If nobody looks, the log hook hears of it, on a thread of the library's.
    std::promise<void> logged;
    mp::set_log_handler([&logged](std::string_view) { logged.set_value(); });
    pool.apply_async(price, 7); // the handle is dropped
    logged.get_future().wait();
    mp::set_log_handler({});
    std::cout << "logged: a failure nobody asked for\n";

    std::cout << "the pool goes on: " << pool.apply(price, 1) << '\n';
}

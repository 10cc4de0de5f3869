// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The same with range-v3, whose views are taken wherever those of std are.

#include <coproc/coproc.hpp>

#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/chunk.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/take.hpp>
#include <range/v3/view/zip.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int square(int x) { return x * x; }
std::string repeat(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i)
        all += text;
    return all;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const auto squares =
        ranges::views::ints(1, 11) | mp::views::imap(pool, square) | ranges::to<std::vector>();
    std::cout << "sum of squares: " << ranges::accumulate(squares, 0) << '\n';

    // Endless in, three out.
    for (int x : ranges::views::iota(100) | mp::views::imap(pool, square) | ranges::views::take(3))
        std::cout << x << ' ';
    std::cout << '\n';

    // A zip is a range of tuples, as starmap likes them; a view within a view arrives as a
    // vector (on threads as it is, so the parameter is auto).
    const std::vector<std::string> texts{"ab", "cd", "ef"};
    for (const std::string& text :
         pool.starmap(repeat, ranges::views::zip(texts, ranges::views::ints(1, 4))))
        std::cout << text << ' ';
    std::cout << '\n';
    const auto sum = [](auto part) { return ranges::accumulate(part, 0); };
    for (int x : pool.map(sum, ranges::views::ints(0, 100) | ranges::views::chunk(25)))
        std::cout << x << ' ';
    std::cout << '\n';
}

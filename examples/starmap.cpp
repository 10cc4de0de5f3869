// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A function of several parameters over a range of tuples.

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>
#include <tuple>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

std::string line(const std::string& name, int width, char fill) {
    std::string text = name;
    text.resize(static_cast<std::size_t>(width), fill);
    return text;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const std::vector<std::tuple<std::string, int, char>> items{
        {"soup", 12, '.'}, {"fish", 14, '-'}, {"cake", 16, '~'}};
    mp::async_result<std::vector<std::string>> lines = pool.starmap_async(line, items);

    for (const std::string& text : lines.get())
        std::cout << text << '\n';
}
